"""The chosen recipe, three seeds, the whole chain. python lease3.py SECONDS [tiny]"""

import json, os, subprocess, sys, time

T0, total = time.time(), float(sys.argv[1])
tiny = len(sys.argv) > 2
V = os.environ["PACK"]
OUT, RES = os.environ["OUT"], os.environ["RES"]
os.makedirs(RES, exist_ok=True)
SHM = os.environ["SCRATCH"]
cam_s, seg1_s, seg2_s = (float(v) for v in os.environ.get("PARTS", "78 100 90").split())
EM = dict(data=V, pool="em", bg=True, layers=[12], budget=cam_s)
if tiny:
    EM |= dict(limit=1, batch=2, steps=2, size=112)
logs = {}


def start(script, name, *args):
    logs[name] = f"{RES}/{name}.log"
    f = open(logs[name], "w")
    return subprocess.Popen([sys.executable, "-W", "ignore", script, *args], stdout=f, stderr=f)


def go(script, name, options):
    return start(script, name, name, json.dumps(options))


def wait(procs, until, need=None):
    while time.time() < until and any(p.poll() is None for n, p in procs.items() if need is None or n in need):
        time.sleep(0.2)
    for n, p in procs.items():
        if p.poll() is None and need is None:
            p.kill()
            print("killed", n, open(logs[n]).read()[-300:], flush=True)
        elif p.poll():
            print("failed", n, open(logs[n]).read()[-800:], flush=True)


def now():
    return round(time.time() - T0, 1)


def last(n):
    lines = open(logs[n]).read().splitlines()
    return lines[-1] if lines else ""


SEEDS = (0,) if tiny else (0, 1, 2)
main = {f"cam{s}": go("cam.py", f"cam{s}", {**EM, "seed": s, "final": True}) for s in SEEDS}
M = {k: v for k, v in EM.items() if k not in ("pool", "bg")}
short = {} if tiny else dict(steps=400)
side = {
    "lc100": go("cam.py", "lc100", {**EM, **short, "count": 100, "final": True}),
    "lc300": go("cam.py", "lc300", {**EM, **short, "count": 300, "final": True}),
    "lc1196": go("cam.py", "lc1196", {**EM, **short, "count": 1196, "final": True}),
    "mean0": go("cam.py", "mean0", {**M, **short, "final": True}),
}
if tiny:
    [side.pop(k).kill() for k in ("lc100", "lc300", "lc1196")]
# labels of a seed as soon as its weights are there
labels = {}
while len(labels) < len(SEEDS) and now() < cam_s + 60:
    for s in SEEDS:
        if s not in labels and os.path.exists(f"{RES}/cam{s}.pt"):
            time.sleep(0.5)
            labels[s] = start("labels.py", f"labels{s}", f"{RES}/cam{s}.pt", "shipped", f"{SHM}/L{s}", V, "0.0", *(["1"] if tiny else []))
    time.sleep(0.2)
wait({f"labels{s}": p for s, p in labels.items()}, T0 + cam_s + 75)
print("labels", now(), *(open(logs[f"labels{s}"]).read() for s in labels), flush=True)
sb = dict(data=V, steps=900, budget=seg1_s)
if tiny:
    sb |= dict(limit=1, steps=2, batch=2, size=112)
LAB = os.environ.get("LABELS", "crf")
seg1 = {}
for s in SEEDS:
    b = {**sb, "seed": s, "labels": f"{SHM}/L{s}-{LAB}.npy", "warm": f"{RES}/cam{s}.pt"}
    seg1[f"ce{s}"] = go("seg.py", f"ce{s}", {**b, "relabel": f"{SHM}/R-ce{s}.npy", "val": True})
    seg1[f"clip{s}"] = go("seg.py", f"clip{s}", {**b, "loss": "clip", "start": 0.6, "relabel": f"{SHM}/R-clip{s}.npy", "val": True})
extra = {"true0": go("seg.py", "true0", {**sb, "true": True, "val": True, "warm": f"{RES}/cam0.pt"}), "cold0": go("seg.py", "cold0", {**sb, "seed": 0, "labels": f"{SHM}/L0-{LAB}.npy", "val": True})}
wait(seg1, T0 + total - seg2_s - 25, need=list(seg1))
print("seg1", now(), flush=True)
for n in (*main, *side, *seg1):
    print(last(n)[:1500], flush=True)
means = {}
for kind in ("ce", "clip"):
    r = [json.load(open(f"{RES}/{kind}{s}.json"))["dev_multi"] for s in SEEDS if os.path.exists(f"{RES}/{kind}{s}.json")]
    means[kind] = sum(r) / max(len(r), 1)
kind = max(means, key=means.get)
print("winner on the dev list", kind, means, now(), flush=True)
seg2 = {}
left = total - now()
for s in SEEDS:
    if os.path.exists(f"{SHM}/R-{kind}{s}.npy"):
        seg2[f"second{s}"] = go(
            "seg.py",
            f"second{s}",
            {
                **sb,
                "seed": 10 + s,
                "steps": 1500,
                "budget": min(seg2_s, left - 42),
                "labels": f"{SHM}/R-{kind}{s}.npy",
                "cont": f"{RES}/{kind}{s}.pt",
                "loss": kind,
                "start": 0.6,
                "lr": 7e-4,
                "lora_lr": 2e-4,
                "val": True,
                "relabel": f"{SHM}/R2-{s}.npy",
            },
        )
orc = {
    f"oracle-{n}": start("oracle.py", f"oracle-{n}", f"oracle-{n}", f"{RES}/{n}.pt", "60", V, *(["1"] if tiny else [])) for n in ("cam0", "cam1", "cam2", "mean0") if os.path.exists(f"{RES}/{n}.pt")
}
wait({**seg2, **extra, **orc}, T0 + total - 4)
for n in (*seg2, *extra, *orc):
    print(last(n)[:1800], flush=True)
print("end", now(), flush=True)
os.system(
    f"cd {RES} && tar czf {OUT}/logs.tgz *.json *.log; tar cf {OUT}/cams.tar cam?.pt mean0.pt; for n in ce clip; do tar cf {OUT}/$n.tar $n?.pt; done; tar cf {OUT}/second.tar second?.pt; tar cf {OUT}/extra.tar true0.pt cold0.pt; cp cam0-maps.pt {OUT}/; ls -la {OUT}"
)
