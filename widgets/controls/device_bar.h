// Where a benchmark runs and with how many threads, its buttons, and how far it is. Shows the devices it is
// given: this computer first, those that cannot be used greyed out with their reason. A chosen device that is
// gone for a moment stays chosen and is called unplugged.
#pragma once

#include <QString>
#include <QWidget>
#include <vector>

#include "engine/report/device.h"
#include "engine/report/run.h"

class QAction;
class QComboBox;
class QLabel;
class QProgressBar;
class QSpinBox;
class QToolButton;

namespace bitloom::widgets {

class DeviceBar : public QWidget {
    Q_OBJECT

  public:
    static constexpr int kMostThreads = 256;
    /// A bar less wide shows its buttons without texts, so that the device's name keeps room.
    static constexpr int kLeastWidthWithTexts = 480;

    explicit DeviceBar(QWidget* parent = nullptr);

    /// The buttons show these actions; the bar neither owns nor enables them.
    void setActions(QAction* benchmark, QAction* tune, QAction* cancel);

    /// `problem`: why phones cannot be listed; empty when they can. The choice stays.
    void setDevices(const std::vector<report::DeviceInfo>& devices, const QString& problem);

    /// The id of the chosen device; "host" at first.
    [[nodiscard]] QString device() const { return m_device; }
    /// Also one that is not there (yet).
    void setDevice(const QString& id);
    [[nodiscard]] int threads() const;
    void setThreads(int threads);

    /// While a benchmark runs, device and threads cannot be changed.
    void setRunning(bool running);
    void setProgress(const report::Progress& progress);

  Q_SIGNALS:
    /// What the person chose.
    void deviceChosen(const QString& id);
    void threadsChosen(int threads);
    /// The bar came into view or went out of it.
    void shownChanged(bool shown);

  protected:
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

  private:
    void choose(int row);
    void fillList();
    void fitThreads();
    void updateText();
    [[nodiscard]] const report::DeviceInfo* chosen() const;

    std::vector<report::DeviceInfo> m_devices;
    QString m_device = QStringLiteral("host");
    QString m_lastName;  ///< of the chosen device while it was there
    QString m_problem;
    bool m_listed = false;
    bool m_running = false;
    QString m_phase;
    QComboBox* m_list;
    QSpinBox* m_threads;
    QToolButton* m_benchmark;
    QToolButton* m_tune;
    QToolButton* m_cancel;
    QProgressBar* m_bar;
    QLabel* m_text;
};

}  // namespace bitloom::widgets
