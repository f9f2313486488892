// The loss around the weights of two networks as maps, full precision beside quantized, under one scale of
// colours. Distances are in norms of a filter (Li et al. 2018), losses in nats. Nothing is computed while
// hidden.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "engine/report/landscape.h"
#include "widgets/plots/figure_view.h"

namespace bitloom::widgets {

class LandscapePlot : public FigureView {
    Q_OBJECT

  public:
    explicit LandscapePlot(QWidget* parent = nullptr);
    ~LandscapePlot() override;

    /// Also a part of one: unknown points look like their neighbours, and the figure says so.
    void setLandscape(const report::Landscape& landscape);
    void clear();

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
    [[nodiscard]] QByteArray csv() const override;

  private:
    void updateFigure() override;
    void restyle() override;
    void mouseLeft() override;
    void mouseMoved(QMouseEvent& event) override;

    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

}  // namespace bitloom::widgets
