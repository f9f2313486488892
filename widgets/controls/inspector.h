// The right dock: statistics and codebook of the selected layer, and what the next job shall do with it.
#pragma once

#include <QString>
#include <QWidget>
#include <array>
#include <optional>

#include "engine/report/run.h"
#include "engine/report/snapshot.h"
#include "widgets/controls/method_editor.h"
#include "widgets/models/codebook_model.h"

class QCheckBox;
class QLabel;
class QLayout;
class QPushButton;
class QTableView;

namespace bitloom::widgets {

/// What the next job shall do with a layer.
struct LayerOverride {
    MethodSetting setting;
    QString mixtureFrom;         ///< run file with whose mixture the layer starts; empty: k-means
    bool mixtureScaled = false;  ///< by the ratio of both layers' deviations
};

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

    /// The methods that a layer can be given; none before.
    void setMethods(std::vector<MethodChoice> methods);
    /// What the next job does with layers that have no setting of their own; nothing: not known.
    void setJobDefault(std::optional<MethodSetting> setting);

    /// Shows the override in force. Without one the controls show the job's default for a quantized layer, in
    /// the bits that LayerInfo says, and no method for others: whether the next job leaves them in full
    /// precision is not known here.
    void setOverride(std::optional<LayerOverride> layer);

    [[nodiscard]] QSize sizeHint() const override { return {330, 680}; }

  Q_SIGNALS:
    /// The layer shall be quantized like this.
    void overrideChanged(const QString& layer, const bitloom::widgets::MethodSetting& setting);
    /// The layer shall start with the mixture of a run that is still to be chosen.
    void transferRequested(const QString& layer);
    /// Whether that mixture shall be scaled to the layer.
    void transferScaleChanged(const QString& layer, bool scaled);
    /// The layer shall follow the job's default again.
    void overrideCleared(const QString& layer);
    void componentSelected(int component);

  private:
    enum Figure { Shape, Weights, Macs, Bits, PackedSize, SparsityFigure, Mse, Gap, FigureCount };
    static constexpr int kGradients = 5;  ///< w, mu, sigma, pi, tau

    QWidget* makeFigures();
    QWidget* makeCodebook();
    QWidget* makeOverride();
    QLayout* makeOverrideButtons();
    void connectOverride();
    void showLayer();
    void showSnapshot();
    void showComponents();
    void showDefault();
    [[nodiscard]] QString overrideText() const;
    void updateOverrideState();

    report::LayerInfo m_layer;
    report::LayerSnapshotPtr m_snapshot;
    int m_channel = 0;
    bool m_editable = true;
    std::optional<LayerOverride> m_override;
    std::optional<MethodSetting> m_default;  ///< of the job
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
    MethodEditor* m_editor = nullptr;
    QLabel* m_componentsTitle = nullptr;
    QLabel* m_valuesTitle = nullptr;
    QLabel* m_overrideNote = nullptr;
    QPushButton* m_apply = nullptr;
    QPushButton* m_restore = nullptr;
    QPushButton* m_transfer = nullptr;
    QCheckBox* m_scale = nullptr;
    QPushButton* m_clear = nullptr;
};

}  // namespace bitloom::widgets
