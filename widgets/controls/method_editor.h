// How weights are to be quantized, as a person chooses it: method, size of the codebook, a value set of one's
// own. The controls alone: whoever has them lays them out.
#pragma once

#include <QObject>
#include <QSpinBox>
#include <QString>
#include <optional>
#include <vector>

class QComboBox;
class QLabel;
class QLineEdit;

namespace bitloom::widgets {

/// A method that can be chosen.
struct MethodChoice {
    QString name;            ///< "dgms"
    QString title;           ///< for a person
    std::vector<int> sizes;  ///< of codebooks that it takes, ascending; empty: full precision
    bool values = false;     ///< takes a set of values of the person's own
};

struct MethodSetting {
    QString method;
    int components = 16;           ///< size of the codebook
    std::vector<double> values{};  ///< empty: the method's own
    bool operator==(const MethodSetting&) const = default;
};

/// Numbers between commas or spaces, "-1, 0, 1"; nothing where a part is none.
[[nodiscard]] std::optional<std::vector<double>> numbersFromText(const QString& text);
[[nodiscard]] QString textFromNumbers(const std::vector<double>& numbers);

/// A number of components; steps go from one that the method takes to the next.
class SizeBox : public QSpinBox {
    Q_OBJECT

  public:
    explicit SizeBox(QWidget* parent = nullptr);
    /// Ascending; empty: any from 2 to 256.
    void setSizes(std::vector<int> sizes) { m_sizes = std::move(sizes); }
    /// The nearest that is taken.
    [[nodiscard]] int nearest(int size) const;
    void stepBy(int steps) override;

  private:
    std::vector<int> m_sizes;
};

class MethodEditor : public QObject {
    Q_OBJECT

  public:
    /// The controls are children of `parent`, which also owns this.
    explicit MethodEditor(QWidget* parent);

    /// "method", "components", "componentBits" and "values" are their objectNames.
    [[nodiscard]] QComboBox& method() const { return *m_method; }
    [[nodiscard]] SizeBox& components() const { return *m_components; }
    [[nodiscard]] QLabel& bits() const { return *m_bits; }
    [[nodiscard]] QLineEdit& values() const { return *m_values; }

    /// Keeps what is shown.
    void setMethods(std::vector<MethodChoice> methods);
    /// Shows it as it is, also what the method refuses; an unknown or empty method shows none. Silent.
    void show(const MethodSetting& setting);
    /// What the controls say: for full precision no values, and the components that it was shown with.
    [[nodiscard]] MethodSetting setting() const;

    [[nodiscard]] bool hasCodebook() const;
    [[nodiscard]] bool takesValues() const;
    /// What is wrong with the choice, a sentence; empty: nothing.
    [[nodiscard]] QString problem() const;

  Q_SIGNALS:
    /// A person, or the program through the controls, chose otherwise.
    void changed();

  private:
    [[nodiscard]] const MethodChoice* choice() const;
    void methodChanged();
    void update();

    std::vector<MethodChoice> m_methods;
    QComboBox* m_method;
    SizeBox* m_components;
    QLabel* m_bits;
    QLineEdit* m_values;
};

}  // namespace bitloom::widgets
