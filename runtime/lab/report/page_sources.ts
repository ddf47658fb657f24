/**
 * What the page is made of, as text. The modules are ordinary ones of this repository, checked as such; on the page they
 * are one script.
 * @module
 */

import boxNames from "./page/box_names.ts" with { type: "text" };
import codeView from "./page/code_view.ts" with { type: "text" };
import compareTable from "./page/compare_table.ts" with { type: "text" };
import dispatchTable from "./page/dispatch_table.ts" with { type: "text" };
import elements from "./page/elements.ts" with { type: "text" };
import graphPicture from "./page/graph_picture.ts" with { type: "text" };
import graphView from "./page/graph_view.ts" with { type: "text" };
import main from "./page/main.ts" with { type: "text" };
import memoryPlot from "./page/memory_plot.ts" with { type: "text" };
import model from "./page/model.ts" with { type: "text" };
import panel from "./page/panel.ts" with { type: "text" };
import panZoom from "./page/pan_zoom.ts" with { type: "text" };
import rooflinePlot from "./page/roofline_plot.ts" with { type: "text" };
import searchBox from "./page/search_box.ts" with { type: "text" };
import stylesText from "./page/styles.css" with { type: "text" };

/** In an order in which they can stand in one script. */
export const modules: readonly string[] = [
  elements,
  model,
  panZoom,
  graphPicture,
  boxNames,
  graphView,
  codeView,
  panel,
  memoryPlot,
  rooflinePlot,
  dispatchTable,
  compareTable,
  searchBox,
  main,
];

export const styles: string = stylesText;
