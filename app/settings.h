// What the window keeps between two starts. A setting is declared once, here, with its key, default and
// check; loading and saving derive from the declaration. GUI thread.
#pragma once

#include <QByteArray>
#include <QSettings>
#include <QString>
#include <QStringList>
#include <memory>

namespace bitloom::app {

/// `valid` decides whether a stored value may be used; anything else reads as `fallback`.
template <class T>
struct Setting {
    const char* key;
    T fallback;
    bool (*valid)(const T&);
};

namespace settings {

template <class T>
bool any(const T&) {
    return true;
}

bool isThemeName(const QString& name);
bool isNotEmpty(const QString& text);

inline constexpr int kRecentFilesKept = 10;

inline const Setting<QString> kTheme{"view/theme", QStringLiteral("system"), isThemeName};
inline const Setting<bool> kLogCounts{"view/logCounts", false, any};
inline const Setting<bool> kSideBySide{"view/sideBySide", false, any};
/// QMainWindow::saveState and saveGeometry; empty: the default layout.
inline const Setting<QByteArray> kLayout{"window/layout", {}, any};
inline const Setting<QByteArray> kGeometry{"window/geometry", {}, any};
/// widgets::LayersPanel::viewState.
inline const Setting<QByteArray> kLayerColumns{"window/layerColumns", {}, any};
/// Share of the left view when the views stand side by side, per cent.
inline const Setting<int> kSplit{"window/split", 50,
                                 [](const int& percent) { return percent >= 10 && percent <= 90; }};
/// Full paths, newest first.
inline const Setting<QStringList> kRecentFiles{
    "files/recent", {}, [](const QStringList& files) { return files.size() <= kRecentFilesKept; }};
/// Where benchmarks run: "host" or the serial of a phone.
inline const Setting<QString> kDevice{"device/id", QStringLiteral("host"), isNotEmpty};
inline const Setting<int> kDeviceThreads{"device/threads", 1,
                                         [](const int& threads) { return threads >= 1 && threads <= 256; }};
/// Where the file pickers start.
inline const Setting<QString> kFolder{"files/folder", QStringLiteral("."), isNotEmpty};

}  // namespace settings

class Settings {
  public:
    /// The settings of this user.
    Settings();
    /// An INI file, for tests and captures, which must neither depend on nor disturb a person's layout.
    explicit Settings(const QString& iniFile);

    template <class T>
    [[nodiscard]] T get(const Setting<T>& setting) const {
        const QVariant stored = m_store->value(QLatin1String(setting.key));
        if (!stored.isValid() || !stored.canConvert<T>()) return setting.fallback;
        T value = stored.value<T>();
        return setting.valid(value) ? value : setting.fallback;
    }

    template <class T>
    void set(const Setting<T>& setting, const T& value) {
        m_store->setValue(QLatin1String(setting.key), QVariant::fromValue(value));
    }

    /// Puts `path` first among the recent files.
    void addRecentFile(const QString& path);
    void clearRecentFiles();

  private:
    std::unique_ptr<QSettings> m_store;
};

}  // namespace bitloom::app
