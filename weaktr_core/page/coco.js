// Masks as COCO's JSON: one annotation a class and photo, run lengths down the columns.

/** Lengths of runs of 0 and 1 in turn, columns first. */
export function runLengths(labels, [height, width], label) {
  const counts = [];
  let [value, length] = [0, 0];
  for (let x = 0; x < width; x++)
    for (let y = 0; y < height; y++) {
      const now = labels[y * width + x] === label ? 1 : 0;
      if (now === value) length++;
      else {
        counts.push(length);
        [value, length] = [now, 1];
      }
    }
  counts.push(length);
  return counts;
}

/** [x, y, width, height] of the pixels with a label, and how many there are. */
function extent(labels, width, label) {
  let [left, top, right, bottom, area] = [Number.POSITIVE_INFINITY, -1, -1, -1, 0];
  labels.forEach((value, i) => {
    if (value !== label) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    if (!area) top = y;
    area++;
    left = Math.min(left, x);
    right = Math.max(right, x);
    bottom = y;
  });
  return { area, bbox: area ? [left, top, right - left + 1, bottom - top + 1] : null };
}

/**
 * @param photos {name, size, labels} each; labels are 1 + the index of a class.
 * @param names of the classes.
 */
export function cocoJson(photos, names) {
  const annotations = photos.flatMap(({ size, labels }, image) =>
    names.flatMap((_, k) => {
      const { area, bbox } = extent(labels, size[1], k + 1);
      if (!area) return [];
      const segmentation = { size, counts: runLengths(labels, size, k + 1) };
      const about = { image_id: image + 1, category_id: k + 1, iscrowd: 0 };
      return [{ ...about, area, bbox, segmentation }];
    }),
  );
  return {
    info: { description: "Masks by a network that was taught with tags only" },
    images: photos.map(({ name, size }, i) => ({
      id: i + 1,
      file_name: name,
      height: size[0],
      width: size[1],
    })),
    categories: names.map((name, k) => ({ id: k + 1, name })),
    annotations: annotations.map((one, i) => ({ id: i + 1, ...one })),
  };
}
