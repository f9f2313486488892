// What the run that is shown comes down to: accuracies, bits, compression, bit operations, as `bitloom
// report` states them. A figure that is not known is a dash.
#pragma once

#include <QWidget>
#include <vector>

#include "engine/report/run.h"

class QLabel;

namespace bitloom::widgets {

class SummaryPanel : public QWidget {
    Q_OBJECT

  public:
    explicit SummaryPanel(QWidget* parent = nullptr);

    void setSummary(const report::RunSummary& summary);

  private:
    std::vector<QLabel*> m_values;  ///< in the order of the figures
};

}  // namespace bitloom::widgets
