// The runs that are open beside each other, the oldest first. Their files are read on a thread of its own.
// GUI thread.
#pragma once

#include <QObject>
#include <QString>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "app/latest_worker.h"
#include "engine/jobs/compare_runs.h"

namespace bitloom::app {

class OpenRuns : public QObject {
    Q_OBJECT

  public:
    explicit OpenRuns(QObject* parent = nullptr) : QObject(parent), m_worker(this) {}

    /// Runs, and folders of runs; one that is open already is read again. added() follows, also when nothing
    /// could be read.
    void add(const std::vector<std::filesystem::path>& paths);
    /// Reads a run again that may have changed, or opens it; in silence when it cannot be read.
    void refresh(const std::filesystem::path& path);
    void remove(const std::filesystem::path& path);

    [[nodiscard]] const std::vector<report::RunFigures>& runs() const { return m_runs; }
    /// Of the files that were added last.
    [[nodiscard]] const std::vector<std::string>& problems() const { return m_problems; }

  Q_SIGNALS:
    /// Other runs, other figures or other problems.
    void changed();
    /// What add() was asked for is there; `first`: the path of its first run, empty without any.
    void added(const QString& first);

  private:
    void take(std::vector<report::RunFigures> runs);

    std::vector<report::RunFigures> m_runs;
    std::vector<std::string> m_problems;
    int m_lanes = 0;  ///< of the worker that are in use
    std::map<std::filesystem::path, int> m_refreshLanes;
    LatestWorker m_worker;  ///< last member: its thread ends before the others die
};

}  // namespace bitloom::app
