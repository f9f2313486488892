// The row above the device figure: a switch a family of kernels, then other buttons; all lose their texts
// where the row is narrow. The float baseline stays on. Private to widgets/plots.
#pragma once

#include <QString>
#include <QToolButton>
#include <QWidget>
#include <set>
#include <string>
#include <vector>

class QAction;
class QHBoxLayout;

namespace bitloom::widgets {

class FamilyRow : public QWidget {
    Q_OBJECT

  public:
    explicit FamilyRow(QWidget* view);

    /// Other families than before get new switches.
    void setFamilies(const std::vector<std::string>& families);
    /// Emits nothing.
    void showHidden(const std::set<std::string>& hidden);
    void add(QToolButton* button);

    /// Swatches in the colours of the current theme.
    void restyle();

    /// Gives way, as texts and the switches on the right do.
    [[nodiscard]] QSize minimumSizeHint() const override { return {0, QWidget::minimumSizeHint().height()}; }

  Q_SIGNALS:
    void toggled(const QString& family, bool on);

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    void fitTexts();
    QToolButton* makeSwitch(const std::string& family, int number);

    QWidget& m_view;
    QHBoxLayout* m_switches;
    QHBoxLayout* m_row;
    std::vector<std::string> m_families;
    std::vector<QToolButton*> m_buttons;  ///< one a family
    std::vector<QToolButton*> m_others;
};

}  // namespace bitloom::widgets
