#include "app/method_choices.h"

#include <QCoreApplication>
#include <algorithm>
#include <map>

#include "engine/jobs/method_fields.h"

namespace bitloom::app {
namespace {

/// What a name stands for; a method that is new here shows its name alone.
QString explanationOf(const std::string& method) {
    static const std::map<std::string, const char*> kTexts = {
        {"none", QT_TRANSLATE_NOOP("Methods", "full precision")},
        {"dgms", QT_TRANSLATE_NOOP("Methods", "Gaussian mixture")},
        {"dgms-mixed", QT_TRANSLATE_NOOP("Methods", "Gaussian mixture, learned bits")},
        {"rdhs", QT_TRANSLATE_NOOP("Methods", "search of a value set")},
        {"sgt", QT_TRANSLATE_NOOP("Methods", "search by signed gradients")},
        {"uniform", QT_TRANSLATE_NOOP("Methods", "equally spaced levels")},
        {"sdq", QT_TRANSLATE_NOOP("Methods", "equally spaced levels, learned bits")}};
    const auto found = kTexts.find(method);
    return found == kTexts.end() ? QString() : QCoreApplication::translate("Methods", found->second);
}

const jobs::MethodFields* fieldsOf(const std::string& method) {
    const auto found = std::ranges::find(jobs::methodFields(), method, &jobs::MethodFields::name);
    return found == jobs::methodFields().end() ? nullptr : &*found;
}

}  // namespace

std::vector<widgets::MethodChoice> methodChoices() {
    std::vector<widgets::MethodChoice> choices;
    for (const jobs::MethodFields& method : jobs::methodFields()) {
        const QString name = QString::fromStdString(method.name);
        const QString explanation = explanationOf(method.name);
        choices.push_back({name,
                           explanation.isEmpty() ? name : QStringLiteral("%1: %2").arg(name, explanation),
                           method.sizes, method.values});
    }
    return choices;
}

bool hasBudget(const QString& method) {
    const jobs::MethodFields* fields = fieldsOf(method.toStdString());
    return fields && fields->budget;
}

bool takesMixture(const std::string& method) {
    const jobs::MethodFields* fields = fieldsOf(method);
    return fields && fields->mixture;
}

widgets::MethodSetting settingOf(const quant::LayerOptions& layer) {
    return {QString::fromStdString(layer.method), layer.components, layer.values};
}

void applySetting(const widgets::MethodSetting& setting, quant::LayerOptions& layer) {
    layer.method = setting.method.toStdString();
    layer.components = setting.components;
    layer.values = setting.values;
    if (!takesMixture(layer.method)) layer.transfer.clear();
}

}  // namespace bitloom::app
