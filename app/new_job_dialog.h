// The few choices that make a job: weights, images, how each of its stages quantizes and trains, output file.
// Everything else, and what the person leaves alone, keeps what the proposal says; a job file has all of it.
// GUI thread.
#pragma once

#include <QDialog>
#include <vector>

#include "app/job_draft.h"

class QComboBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QPushButton;

namespace bitloom::app {

class TrainingFields;

class NewJobDialog : public QDialog {
    Q_OBJECT

  public:
    explicit NewJobDialog(const JobDraft& proposal, QWidget* parent = nullptr);

    /// The proposal with what was changed.
    [[nodiscard]] JobDraft draft() const;

  private:
    /// What the controls say, but for the trainings.
    struct Fields {
        QString weights;
        QString teacher;
        QString data;
        QString normalize;
        QString out;
    };

    QWidget* makeFileRow(QLineEdit* edit, bool save, const QString& caption, const QString& name);
    void addRows();
    void addStageRow();
    void addButtons();
    void nameControls();
    void fill(const JobDraft& proposal);
    [[nodiscard]] Fields fields() const;
    void showStage(int stage);
    /// The stages as they are now, the shown one among them.
    [[nodiscard]] std::vector<jobs::JobSpec> trainings() const;
    void check();
    [[nodiscard]] QString problem(const Fields& now) const;
    void say(const QString& text, const char* role);

    JobDraft m_proposal;
    Fields m_filled;                         ///< as the dialog opened
    std::vector<jobs::JobSpec> m_trainings;  ///< the job's stages, but for the shown one as it is now
    int m_stage = 0;                         ///< that is shown
    QFormLayout* m_form;
    QLineEdit* m_weights;
    QComboBox* m_data;
    QComboBox* m_normalize;
    QComboBox* m_stages;
    TrainingFields* m_training = nullptr;
    QLineEdit* m_teacher;
    QWidget* m_teacherRow = nullptr;
    QLineEdit* m_out;
    QLabel* m_note;
    QPushButton* m_start;
};

}  // namespace bitloom::app
