// Pictures of views: a plot view (MixturePlot, CurvesPlot) gives its figure without the buttons, any other
// widget is drawn whole. Works on views that were never shown; their size() is the size of the picture. GUI
// thread only.
#pragma once

#include <QString>

class QWidget;

namespace bitloom::widgets {

/// Writes .png (two pixels a unit), .svg or .pdf (vector). False, with a message naming the file in `error`,
/// when the suffix is another or the file cannot be written.
bool renderToFile(QWidget& view, const QString& path, QString* error = nullptr);

}  // namespace bitloom::widgets
