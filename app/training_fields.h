// The choices that make one training of a job, as rows of a form: method and codebook, budget, strategy,
// activations, distillation, length, recipe. Rows that do not apply are hidden. What the person leaves alone
// stays as it is in the job. GUI thread.
#pragma once

#include <QObject>
#include <QString>

#include "engine/jobs/job_spec.h"
#include "widgets/controls/method_editor.h"

class QComboBox;
class QDoubleSpinBox;
class QFormLayout;
class QSpinBox;
class QToolButton;

namespace bitloom::app {

/// Widgets beside each other, from the left; the first has the keyboard.
[[nodiscard]] QWidget* makeRow(std::initializer_list<QWidget*> widgets);

class TrainingFields : public QObject {
    Q_OBJECT

  public:
    /// Adds its rows to `form`, whose widget owns this.
    TrainingFields(QFormLayout& form, QWidget* owner);

    /// Shows a job without stages. `guessed`: nobody chose its rates, so they get the recipe of short runs.
    /// `follows`: another training goes before it, whose bits it can take.
    void show(const jobs::JobSpec& training, bool guessed, bool follows);
    /// The job that was shown with what was changed.
    [[nodiscard]] jobs::JobSpec training() const;

    /// What is wrong with the choices, a sentence; empty: nothing.
    [[nodiscard]] QString problem() const;

  Q_SIGNALS:
    void changed();

  private:
    /// What the controls say.
    struct Fields {
        widgets::MethodSetting method;
        double target = 0;
        int budget = 0;
        QString strategy;
        int ends = 0;  ///< bits; 0: full precision
        int activation = 0;
        int activationBits = 0;
        double distillation = 0;
        double length = 0;
        int unit = 0;
    };

    void makeControls(QWidget* owner);
    void addRows();
    void nameControls();
    void connectControls();
    void update();
    /// Another method wants other rates: the recipe is set, unless a person chose one.
    void followMethod();
    [[nodiscard]] Fields fields() const;

    QFormLayout& m_form;
    jobs::JobSpec m_shown;
    Fields m_filled;              ///< as they were shown
    bool m_recipeFollows = true;  ///< nobody chose a recipe yet
    bool m_quiet = false;         ///< being filled
    widgets::MethodEditor* m_method;
    QWidget* m_sizeRow = nullptr;
    QDoubleSpinBox* m_target = nullptr;
    QComboBox* m_budget = nullptr;
    QWidget* m_budgetRow = nullptr;
    QComboBox* m_strategy = nullptr;
    QToolButton* m_strategyBrowse = nullptr;
    QWidget* m_strategyRow = nullptr;
    QComboBox* m_ends = nullptr;
    QComboBox* m_activation = nullptr;
    QSpinBox* m_activationBits = nullptr;
    QDoubleSpinBox* m_distillation = nullptr;
    QDoubleSpinBox* m_length = nullptr;
    QComboBox* m_unit = nullptr;
    QComboBox* m_recipe = nullptr;
};

}  // namespace bitloom::app
