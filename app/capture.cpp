#include "app/capture.h"

#include <QCoreApplication>
#include <QMetaObject>
#include <QPixmap>
#include <cstdio>
#include <map>
#include <utility>

#include "widgets/plots/figure_view.h"
#include "widgets/plots/render.h"

namespace bitloom::app {

namespace fs = std::filesystem;

Status captureViews(MainWindow& window, const fs::path& folder) {
    std::error_code problem;
    fs::create_directories(folder, problem);
    if (problem) {
        return bitloom::fail("{}: cannot make this folder: {}. Choose another with --capture.",
                             folder.string(), problem.message());
    }
    const ViewArea::View before = window.views().currentView();
    const auto bringToFront = [&window](ViewArea::View view) {
        window.views().setCurrentView(view);
        QCoreApplication::processEvents(QEventLoop::ExcludeUserInputEvents);
    };
    std::map<const QWidget*, ViewArea::View> views;
    for (int view = 0; view < ViewArea::ViewCount; ++view) {
        const auto name = static_cast<ViewArea::View>(view);
        views[&window.views().plot(name)] = name;
    }
    const auto targets = window.captureTargets();
    // A view behind a tab has no size and nothing computed until it was in front.
    for (const auto& [name, target] : targets) {
        if (views.contains(target)) bringToFront(views.at(target));
    }
    bringToFront(before);
    for (const auto& [name, view] : targets) {
        const QString path = QString::fromStdString((folder / (name.toStdString() + ".png")).string());
        QString error;
        if (views.contains(view)) bringToFront(views.at(view));
        // The window as it stands on the screen; single views in twice the resolution.
        const bool saved =
            view == &window ? window.grab().save(path) : widgets::renderToFile(*view, path, &error);
        if (saved) continue;
        if (error.isEmpty())
            error = QStringLiteral("%1: cannot be written. Is the disk full or read-only?").arg(path);
        return bitloom::fail("{}", error.toStdString());
    }
    window.views().setCurrentView(before);
    return {};
}

Capture::Capture(MainWindow& window, fs::path folder, std::int64_t untilStep, Moment moment)
    : QObject(&window), m_window(window), m_folder(std::move(folder)) {
    // Queued: what caused the signal has reached every widget before the picture is taken.
    const auto shootSoon = [this] {
        if (!std::exchange(m_done, true))
            QMetaObject::invokeMethod(this, &Capture::shoot, Qt::QueuedConnection);
    };
    connect(&window.session(), &Session::failed, this, &Capture::fail);
    connect(&window.jobs(), &JobController::failed, this, &Capture::fail);
    if (moment == Moment::Benchmark) {
        m_exitCode = static_cast<int>(ErrorKind::Cancelled);  // unless there are times in the end
        connect(&window.jobs(), &JobController::benchmarked, this, [this, shootSoon] {
            m_exitCode = 0;
            shootSoon();
        });
        return;
    }
    if (moment == Moment::Computed) {
        m_exitCode = static_cast<int>(ErrorKind::Cancelled);  // unless it comes to its end
        connect(&window.jobs(), &JobController::analysisEnded, this, [this, shootSoon](bool whole) {
            if (!whole) return;
            m_exitCode = 0;
            shootSoon();
        });
        return;
    }
    if (moment == Moment::Shown) {
        connect(&window.session(), &Session::layersShown, this, shootSoon);
        // A run without steps never shows a layer. Queued: its steps are known only after opened().
        const auto shootEmpty = [&window, shootSoon] {
            if (window.session().steps().empty()) shootSoon();
        };
        connect(&window.session(), &Session::opened, this, shootEmpty, Qt::QueuedConnection);
        return;
    }
    connect(&window.session(), &Session::stepChanged, this, [this, untilStep, shootSoon](qint64 step) {
        if (m_window.session().live() && untilStep >= 0 && step >= untilStep) shootSoon();
    });
    connect(&window.jobs(), &JobController::ended, this,
            [this, shootSoon](bool stopped, const QString& message) {
                if (!m_done && stopped) {
                    m_done = true;
                    m_exitCode = static_cast<int>(ErrorKind::Cancelled);
                    std::fprintf(stderr, "bitloom: %s\n", qPrintable(message));
                }
                if (m_done) {
                    end();
                } else if (!message.isEmpty()) {  // otherwise failed() follows
                    shootSoon();
                }
            });
}

void Capture::shoot() {
    const Status saved = captureViews(m_window, m_folder);
    if (!saved) {
        std::fprintf(stderr, "bitloom: %s\n", saved.error().message.c_str());
        m_exitCode = 1;
    }
    if (m_window.jobs().host().busy()) {
        m_window.jobs().host().stop();
    } else {
        end();
    }
}

void Capture::fail(const QString& message) {
    std::fprintf(stderr, "bitloom: %s\n", qPrintable(message));
    m_exitCode = 1;
    m_done = true;
    if (!m_window.jobs().host().busy()) end();
}

void Capture::end() {
    // Queued: exit() before the event loop runs would be forgotten.
    QMetaObject::invokeMethod(
        QCoreApplication::instance(), [code = m_exitCode] { QCoreApplication::exit(code); },
        Qt::QueuedConnection);
}

}  // namespace bitloom::app
