// The few choices that make a job: weights, images, bits, length, recipe, output file. Everything else keeps
// what the proposal says; a job file has all of it. GUI thread.
#pragma once

#include <QDialog>

#include "app/job_draft.h"

class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;

namespace bitloom::app {

class NewJobDialog : public QDialog {
    Q_OBJECT

  public:
    explicit NewJobDialog(const JobDraft& proposal, QWidget* parent = nullptr);

    /// What the fields say.
    [[nodiscard]] JobDraft draft() const;

  private:
    QWidget* makeFileRow(QLineEdit* edit, bool save, const QString& caption, const QString& name);
    QWidget* makeLengthRow();
    void fill(const JobDraft& proposal);
    void check();

    JobDraft m_proposal;
    QLineEdit* m_weights;
    QComboBox* m_data;
    QComboBox* m_normalize;
    QSpinBox* m_bits;
    QLabel* m_components;
    QDoubleSpinBox* m_length;
    QComboBox* m_unit;
    QComboBox* m_recipe;
    QLineEdit* m_out;
    QLabel* m_problem;
    QPushButton* m_start;
};

}  // namespace bitloom::app
