#include "app/settings.h"

#include <QFileInfo>

namespace bitloom::app {

bool settings::isThemeName(const QString& name) {
    return name == QLatin1String("light") || name == QLatin1String("dark") || name == QLatin1String("system");
}

bool settings::isNotEmpty(const QString& text) {
    return !text.isEmpty();
}

Settings::Settings()
    : m_store(std::make_unique<QSettings>(QStringLiteral("bitloom"), QStringLiteral("bitloom"))) {}

Settings::Settings(const QString& iniFile)
    : m_store(std::make_unique<QSettings>(iniFile, QSettings::IniFormat)) {}

void Settings::addRecentFile(const QString& path) {
    const QString full = QFileInfo(path).absoluteFilePath();
    QStringList files = get(settings::kRecentFiles);
    files.removeAll(full);
    files.prepend(full);
    while (files.size() > settings::kRecentFilesKept)
        files.removeLast();
    set(settings::kRecentFiles, files);
}

void Settings::clearRecentFiles() {
    set(settings::kRecentFiles, QStringList());
}

}  // namespace bitloom::app
