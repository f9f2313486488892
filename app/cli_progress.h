// A job on a terminal: one progress line that redraws itself, log lines above it. On the job's thread, which
// is the main thread here.
#pragma once

#include <string>

#include "engine/report/progress_sink.h"

namespace bitloom::app {

class TerminalSink final : public report::ProgressSink {
  public:
    TerminalSink();
    ~TerminalSink() override;
    TerminalSink(const TerminalSink&) = delete;
    TerminalSink& operator=(const TerminalSink&) = delete;

    void progress(const report::Progress& progress) override;
    void event(const report::RunEvent& event) override;
    void log(std::string_view line) override;

  private:
    void clearLine();

    bool m_terminal;  ///< standard error is one
    bool m_lineShown = false;
};

/// "training 120/390, 4.1 steps/s, 1:05 left"
[[nodiscard]] std::string progressText(const report::Progress& progress);

}  // namespace bitloom::app
