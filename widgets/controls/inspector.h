// The right dock: statistics and codebook of the selected layer, and what the next job shall do with it.
#pragma once

#include <QString>
#include <QWidget>
#include <array>
#include <optional>

#include "engine/report/run.h"
#include "engine/report/snapshot.h"
#include "widgets/models/codebook_model.h"

class QComboBox;
class QLabel;
class QPushButton;
class QSpinBox;
class QTableView;

namespace bitloom::widgets {

class Inspector : public QWidget {
    Q_OBJECT

  public:
    explicit Inspector(QWidget* parent = nullptr);

    /// Another layer forgets the snapshot and the override; a layer with an empty name shows the empty state.
    void setLayer(const report::LayerInfo& layer);

    /// Null, or a snapshot of another layer, shows no figures.
    void setSnapshot(report::LayerSnapshotPtr snapshot);

    /// Which mixture of a filter-wise layer the codebook shows; MixturePlot::channelChanged says which.
    void setChannel(int channel);

    /// Marks a row of the codebook; -1 for none. Does not emit componentSelected.
    void selectComponent(int component);

    /// Whether the overrides can be changed (a job is being prepared, not running).
    void setEditable(bool editable);

    /// Shows the override in force ("dgms" or "none", components 2 to 256). Without one the controls show
    /// what LayerInfo says of a quantized layer, and no method for others: whether the next job leaves them
    /// in full precision is not known here.
    void setOverride(std::optional<std::pair<QString, int>> method);

    [[nodiscard]] QSize sizeHint() const override { return {330, 680}; }

  Q_SIGNALS:
    /// The layer shall be quantized by `method` ("dgms" or "none") with so many components (0 for "none").
    void overrideChanged(const QString& layer, const QString& method, int components);
    /// The layer shall follow the job's default again.
    void overrideCleared(const QString& layer);
    void componentSelected(int component);

  private:
    enum Figure { Shape, Weights, Macs, Bits, PackedSize, SparsityFigure, Mse, Gap, FigureCount };
    static constexpr int kGradients = 5;  ///< w, mu, sigma, pi, tau

    QWidget* makeFigures();
    QWidget* makeCodebook();
    QWidget* makeOverride();
    void connectOverride();
    void showLayer();
    void showSnapshot();
    void showComponents();
    void showDefault();
    void updateOverrideState();

    report::LayerInfo m_layer;
    report::LayerSnapshotPtr m_snapshot;
    int m_channel = 0;
    bool m_editable = true;
    bool m_overridden = false;
    CodebookModel m_codebook;
    QLabel* m_title = nullptr;
    QLabel* m_subtitle = nullptr;
    std::array<QLabel*, FigureCount> m_figures{};
    std::array<QLabel*, kGradients> m_gradients{};
    QWidget* m_figureBox = nullptr;
    QWidget* m_codebookBox = nullptr;
    QLabel* m_codebookTitle = nullptr;
    QTableView* m_table = nullptr;
    QWidget* m_overrideBox = nullptr;
    QComboBox* m_method = nullptr;
    QLabel* m_componentsTitle = nullptr;
    QSpinBox* m_components = nullptr;
    QLabel* m_bits = nullptr;
    QLabel* m_overrideNote = nullptr;
    QPushButton* m_apply = nullptr;
    QPushButton* m_restore = nullptr;
    QPushButton* m_clear = nullptr;
};

}  // namespace bitloom::widgets
