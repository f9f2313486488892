// The few choices that make a job: weights, images, method, components, length, recipe, output file.
// Everything else, and what the person leaves alone, keeps what the proposal says; a job file has all of it.
// GUI thread.
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

    /// The proposal with what was changed.
    [[nodiscard]] JobDraft draft() const;

  private:
    /// What the controls say.
    struct Fields {
        QString weights;
        QString data;
        QString normalize;
        QString method;
        int components = 0;
        double length = 0;
        int unit = 0;
        QString out;
    };

    QWidget* makeFileRow(QLineEdit* edit, bool save, const QString& caption, const QString& name);
    void addRows();
    void nameControls();
    void fill(const JobDraft& proposal);
    [[nodiscard]] Fields fields() const;
    void check();
    void say(const QString& text, const char* role);

    JobDraft m_proposal;
    Fields m_filled;  ///< as the dialog opened
    QLineEdit* m_weights;
    QComboBox* m_data;
    QComboBox* m_normalize;
    QComboBox* m_method;
    QSpinBox* m_components;
    QLabel* m_bits;
    QDoubleSpinBox* m_length;
    QComboBox* m_unit;
    QComboBox* m_recipe;
    QLineEdit* m_out;
    QLabel* m_note;
    QPushButton* m_start;
};

}  // namespace bitloom::app
