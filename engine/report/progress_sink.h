// Where a job reports to. Every member is called on the job's own thread, never concurrently; implementations
// that hand on to another thread copy what they need. The default does nothing.
#pragma once

#include <string_view>

#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::report {

class ProgressSink {
  public:
    virtual ~ProgressSink() = default;
    virtual void runStarted(const RunInfo&) {}
    virtual void progress(const Progress&) {}
    virtual void metric(const MetricSample&) {}
    virtual void layer(const LayerSnapshotPtr&) {}
    virtual void event(const RunEvent&) {}
    /// One line for a person.
    virtual void log(std::string_view) {}
    virtual void runFinished(const RunSummary&) {}
};

}  // namespace bitloom::report
