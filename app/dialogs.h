// Everything the window asks a person, as functions, so that a test can answer instead. GUI thread.
#pragma once

#include <QString>
#include <QStringList>
#include <functional>
#include <optional>

#include "app/job_draft.h"

class QWidget;

namespace bitloom::app {

enum class CloseAnswer { StopAndSave, KeepTraining };

struct Dialogs {
    /// Caption, folder or suggested file, filter. An empty answer is a cancel.
    using PickFile = std::function<QString(QWidget*, const QString&, const QString&, const QString&)>;

    /// Likewise, of several files; empty is a cancel.
    using PickFiles = std::function<QStringList(QWidget*, const QString&, const QString&, const QString&)>;

    PickFile openFile;
    PickFiles openFiles;
    PickFile openFolder;  ///< without a filter
    PickFile saveFile;    ///< the answer ends in a suffix of the filter
    /// The job as the person wants it; nothing when cancelled.
    std::function<std::optional<JobDraft>(QWidget*, const JobDraft& proposal)> newJob;
    /// The window is to close while a job trains.
    std::function<CloseAnswer(QWidget*)> closeWhileTraining;
    std::function<void(QWidget*)> about;
    /// Rich text.
    std::function<void(QWidget*, const QString& table)> shortcuts;
};

/// The dialogs that a person sees.
[[nodiscard]] Dialogs standardDialogs();

}  // namespace bitloom::app
