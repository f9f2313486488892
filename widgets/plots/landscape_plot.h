// The loss around the weights of two networks as maps, full precision beside quantized, under one scale of
// colours. Distances are in norms of a filter (Li et al. 2018), losses in nats. Nothing is computed while
// hidden.
#pragma once

#include <QByteArray>
#include <QWidget>
#include <memory>
#include <optional>
#include <utility>

#include "engine/report/landscape.h"

namespace bitloom::widgets {

class LandscapePlot : public QWidget {
    Q_OBJECT

  public:
    explicit LandscapePlot(QWidget* parent = nullptr);
    ~LandscapePlot() override;

    /// Also a part of one: unknown points look like their neighbours, and the figure says so.
    void setLandscape(const report::Landscape& landscape);
    void clear();
    [[nodiscard]] bool isEmpty() const;

    /// Colours by the logarithm of the loss, as at first; top-1 is always linear.
    void setLogScale(bool on);
    [[nodiscard]] bool logScale() const;

    /// Top-1 in place of the loss.
    void setTop1(bool on);
    [[nodiscard]] bool top1() const;

    /// Frames a point of the grid, column and row, in both maps and tells about it; none, or one outside:
    /// unframes.
    void selectPoint(std::optional<std::pair<int, int>> point);
    [[nodiscard]] std::optional<std::pair<int, int>> selectedPoint() const;

    /// One line a point: alpha, beta, loss and top-1 of each network, with a header; empty fields where
    /// nothing was computed.
    [[nodiscard]] QByteArray csv() const;

    [[nodiscard]] QSize sizeHint() const override { return {860, 520}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {320, 280}; }

  Q_SIGNALS:
    /// An export did not succeed; `message` names the file and the remedy.
    void failed(const QString& message);

  protected:
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

}  // namespace bitloom::widgets
