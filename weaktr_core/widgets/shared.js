// What every explorer uses, and the model in the page, too. One place to import from:
// data.js    unpack, unpackRows, expand, toBytes, loadImage, nearest, percent, headName
// dom.js     make, svg, button, choice, tick, range, strip, refill, hide, ARROWS, onDrag,
//            patchAt, glide
// draw.js    setSize, fade, drawPixels, drawMap, frame, drawOverlay, drawThumb,
//            photoPixels, drawLabels, heatLegend, classLegend, heatStyle
// state.js   connect, followPage
// style.js   STYLE, followScheme
// tables.js  strongest
// colours.js HEAT

export * from "./colours.js";
export * from "./data.js";
export * from "./dom.js";
export * from "./draw.js";
export * from "./state.js";
export * from "./style.js";
export * from "./tables.js";
