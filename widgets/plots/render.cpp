// See render.h.
#include "widgets/plots/render.h"

#include <QFileInfo>
#include <QLayout>
#include <QPdfWriter>
#include <QRegularExpression>
#include <QSaveFile>
#include <QSvgGenerator>
#include <QWidget>
#include <functional>

#include "widgets/plots/plot_surface.h"

namespace bitloom::widgets {
namespace {

constexpr int kPdfDotsPerInch = 96;  // one widget pixel is one dot

/// Draws the figure, or the widget, in vector form at its own size.
void paint(QWidget& view, QCustomPlot* figure, QCPPainter& painter) {
    if (!figure) {
        view.render(&painter);
        return;
    }
    painter.setMode(QCPPainter::pmVectorized);
    painter.setMode(QCPPainter::pmNoCaching);
    figure->toPainter(&painter, view.width(), view.height());
}

QByteArray png(QWidget& view, QCustomPlot* figure, int pixelRatio) {
    QPixmap pixmap;
    if (figure) {
        pixmap = figure->toPixmap(view.width(), view.height(), pixelRatio);
    } else {
        pixmap = QPixmap(view.size() * pixelRatio);
        pixmap.setDevicePixelRatio(pixelRatio);
        pixmap.fill(view.palette().color(QPalette::Window));
        view.render(&pixmap);
    }
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    pixmap.save(&buffer, "PNG");
    return bytes;
}

QByteArray svg(QWidget& view, QCustomPlot* figure) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize(view.size());
    generator.setViewBox(QRect(QPoint(0, 0), view.size()));
    generator.setTitle(view.windowTitle());
    QCPPainter painter;
    painter.begin(&generator);
    paint(view, figure, painter);
    painter.end();
    return bytes;
}

QByteArray pdf(QWidget& view, QCustomPlot* figure) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    writer.setResolution(kPdfDotsPerInch);
    const QSizeF points = QSizeF(view.size()) * 72 / kPdfDotsPerInch;
    writer.setPageSize(QPageSize(points, QPageSize::Point, {}, QPageSize::ExactMatch));
    writer.setPageMargins({});
    QCPPainter painter;
    painter.begin(&writer);
    paint(view, figure, painter);
    painter.end();
    return bytes;
}

}  // namespace

bool renderToFile(QWidget& view, const QString& path, QString* error, int pixelRatio) {
    const QString suffix = QFileInfo(path).suffix().toLower();
    std::function<QByteArray(QWidget&, QCustomPlot*)> format;
    if (suffix == QLatin1String("png")) {
        format = [pixelRatio](QWidget& v, QCustomPlot* f) { return png(v, f, pixelRatio); };
    }
    if (suffix == QLatin1String("svg")) format = svg;
    if (suffix == QLatin1String("pdf")) format = pdf;
    if (!format) {
        if (error) *error = QStringLiteral("%1: pictures end in .png, .svg or .pdf").arg(path);
        return false;
    }
    view.ensurePolished();
    if (view.layout()) view.layout()->activate();
    QCustomPlot* figure = figureOf(view);
    if (!figure) return writeToFile(path, format(view, nullptr), error);
    // What a figure shows is computed when it is replotted, which a view that was never shown has not been;
    // and what it shows may depend on its size.
    const QRect before = figure->viewport();
    figure->setViewport(QRect({0, 0}, view.size()));
    figure->replot(QCustomPlot::rpQueuedRefresh);
    const QByteArray picture = format(view, figure);
    figure->setViewport(before);
    if (figure->isVisible()) figure->replot(QCustomPlot::rpQueuedReplot);
    return writeToFile(path, picture, error);
}

bool writeToFile(const QString& path, const QByteArray& content, QString* error) {
    QSaveFile file(path);
    if (file.open(QIODevice::WriteOnly) && file.write(content) == content.size() && file.commit())
        return true;
    if (error)
        *error = QStringLiteral("Cannot write %1: %2. Choose another folder.").arg(path, file.errorString());
    return false;
}

QString withSuffix(const QString& path, const QString& filters, const QString& chosenFilter) {
    static const QRegularExpression kPattern(QStringLiteral("\\*(\\.\\w+)"));
    for (auto match = kPattern.globalMatch(filters); match.hasNext();) {
        if (path.endsWith(match.next().captured(1), Qt::CaseInsensitive)) return path;
    }
    return path + kPattern.match(chosenFilter).captured(1);
}

}  // namespace bitloom::widgets
