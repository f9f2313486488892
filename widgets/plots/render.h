// Files of views: pictures and tables. A plot view (MixturePlot, CurvesPlot) gives its figure without the
// buttons, any other widget is drawn whole. Works on views that were never shown; their size() is the size of
// the picture in units. GUI thread only.
#pragma once

#include <QByteArray>
#include <QString>

class QWidget;

namespace bitloom::widgets {

/// Writes .png (`pixelRatio` pixels a unit), .svg or .pdf (vector). False, with a message naming the file in
/// `error`, when the suffix is another or the file cannot be written.
bool renderToFile(QWidget& view, const QString& path, QString* error = nullptr, int pixelRatio = 2);

/// Writes `content` whole, or leaves what was there. False, with a message naming the file in `error`, when
/// it cannot.
bool writeToFile(const QString& path, const QByteArray& content, QString* error = nullptr);

/// `path` as it ends in a suffix of `filters` ("PNG (*.png);;SVG (*.svg)"); otherwise with the suffix of the
/// filter that was chosen. Layer names have dots, so that any other ending is part of the name.
[[nodiscard]] QString withSuffix(const QString& path, const QString& filters, const QString& chosenFilter);

}  // namespace bitloom::widgets
