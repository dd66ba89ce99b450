import sys
import torch, json, numpy as np, time
from weaktr_core.networks.segmenter import Segmenter
from weaktr_core.networks.cam import WeakTr
from weaktr_core.data.voc import VOC2012
from weaktr_core.data.transforms import resize_short_side
from weaktr_core.labels.windows import predict
from weaktr_core.labels.views import make_views, View, infer_cams, tagged_scores
from weaktr_core.labels.recipe import label_map
from weaktr_core.labels.crf import crf_on_probabilities, CRF_PRESETS
from weaktr_core.method.grid import map_to_image
from weaktr_core.scores.metrics import ConfusionMatrix

torch.set_num_threads(1)
part = int(sys.argv[1])
m = Segmenter.pretrained("voc")
c = WeakTr.pretrained("voc")
v = VOC2012("voc-part", "val")
C = {k: ConfusionMatrix(21) for k in ("seg one", "seg one, tags", "seg one, crf", "cam one, tags", "cam one, believed", "seg multi", "seg multi, crf")}
t = time.time()
names = list(range(part, len(v), 2))
np.random.default_rng(0).shuffle(names)


def save(n, w):
    json.dump({k: x.counts.tolist() for k, x in C.items()} | {"n": n + 1, "pass": w}, open(f"final{part}-{w}.json", "w"))
    print(w, n + 1, round(time.time() - t), {k: round(100 * x.miou, 1) for k, x in C.items() if x.counts.any()}, flush=True)


def crf(im, p):
    top = np.unique(np.r_[0, np.argsort(-p.reshape(21, -1).max(1))[:6]])
    q = p[top]
    q = q / q.sum(0)
    return top[crf_on_probabilities(im, q, CRF_PRESETS["voc-seg"]).argmax(0)].astype(np.uint8)


with torch.no_grad():
    for w in (1, 2):
        for n, i in enumerate(names):
            s = v[i]
            x = m.prepare(resize_short_side(s.image, 252))
            hw = s.image.shape[:2]
            if w == 1:
                p = predict(m, x, hw, views=(View(),))[0].numpy()
                C["seg one"].update(s.mask, p.argmax(0).astype(np.uint8))
                C["seg one, tags"].update(s.mask, (p * np.r_[1, s.tags][:, None, None]).argmax(0).astype(np.uint8))
                C["seg one, crf"].update(s.mask, crf(s.image, p))
                maps, o = infer_cams(c, x, (View(),), ["fine_cam"])
                full = map_to_image(maps["fine_cam"], hw)[0]
                pr = o.coarse_logits[0].sigmoid().numpy()
                bel = (pr >= 0.5) | (pr == pr.max())
                for k, tg in (("cam one, tags", s.tags), ("cam one, believed", bel)):
                    sc, cl = tagged_scores(full, tg)
                    C[k].update(s.mask, label_map(sc, cl, 0.42))
            else:
                p = predict(m, x, hw, views=make_views((1.0, 4 / 3)))[0].numpy()
                C["seg multi"].update(s.mask, p.argmax(0).astype(np.uint8))
                C["seg multi, crf"].update(s.mask, crf(s.image, p))
            if n % 20 == 19 or n == len(names) - 1:
                save(n, w)
