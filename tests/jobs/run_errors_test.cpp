// What can go wrong with a run's files: each error names the file and leaves what was there.
#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "engine/jobs/report_job.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

/// No file may grow beyond `bytes` while it lives: what a full disk looks like to a program.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) {
        m_signal = std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &m_before);
        rlimit limit = m_before;
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &m_before);
        std::signal(SIGXFSZ, m_signal);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

  private:
    rlimit m_before{};
    void (*m_signal)(int);
};

Error failureOf(const JobSpec& spec, const fs::path& out) {
    report::ProgressSink silent;
    JobControl control;
    const auto summary = runTrainJob({spec, out, ""}, silent, control);
    EXPECT_FALSE(summary.ok());
    return summary.ok() ? Error{} : summary.error();
}

TEST(RunErrors, NoOutputOrAFolderIsAUsageError) {
    const testing::TemporaryFolder folder;
    EXPECT_EQ(failureOf(smallJob(), "").kind, ErrorKind::Usage);
    const Error error = failureOf(smallJob(), folder.path());
    EXPECT_EQ(error.kind, ErrorKind::Usage);
    EXPECT_NE(error.message.find(folder.path().string()), std::string::npos);
}

TEST(RunErrors, AnUnwritableFolderIsNamed) {
    const testing::TemporaryFolder folder;
    std::ofstream(folder / "file") << "not a folder";
    const fs::path out = folder / "file/run.h5";
    const Error error = failureOf(smallJob(), out);
    EXPECT_EQ(error.kind, ErrorKind::Failed);
    EXPECT_NE(error.message.find(out.string()), std::string::npos) << error.message;
}

TEST(RunErrors, WithoutAFolderForCheckpointsThereIsNoRun) {
    const testing::TemporaryFolder folder;
    std::ofstream(folder / "run.h5.ckpt") << "not a folder";
    const Error error = failureOf(smallJob(), folder / "run.h5");
    EXPECT_NE(error.message.find("run.h5.ckpt"), std::string::npos) << error.message;
    EXPECT_FALSE(fs::exists(folder / "run.h5")) << "the next try would be asked for --replace";
}

TEST(RunErrors, AFullDiskAtACheckpointKeepsTheLastGoodOne) {
    const testing::TemporaryFolder folder;
    trainAndStop(smallJob(), folder / "run.h5", 2);
    const auto before = checkpointsOf(folder / "run.h5");
    {
        const FileSizeLimit full(fs::file_size(before.back()) / 2);
        report::ProgressSink silent;
        JobControl control;
        const auto summary = resumeTrainJob(folder / "run.h5", silent, control);
        ASSERT_FALSE(summary.ok());
        EXPECT_NE(summary.error().message.find(folder.path().string()), std::string::npos)
            << summary.error().message;
    }
    EXPECT_EQ(checkpointsOf(folder / "run.h5"), before);
    report::ProgressSink silent;
    JobControl control;
    const auto summary = resumeTrainJob(folder / "run.h5", silent, control);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(summary->hash, trainToEnd(smallJob(), folder / "whole.h5").hash);
}

TEST(RunErrors, AFullDiskWhileRecordingStopsTheJobAndNamesTheRun) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.train.steps = 400;
    job.train.evaluateEvery = 0;
    job.train.checkpointEverySeconds = 86400;
    job.data.batch = 2;
    trainAndStop(job, folder / "run.h5", 1);
    const auto checkpoints = checkpointsOf(folder / "run.h5");
    const auto runBytes = fs::file_size(folder / "run.h5");
    const auto checkpointBytes = fs::file_size(checkpoints.back());
    ASSERT_GT(checkpointBytes, runBytes) << "the limit below must let checkpoints through";
    Error error;
    SteeringSink sink;
    {
        const FileSizeLimit full(checkpointBytes + 1000);
        JobControl control;
        const auto summary = resumeTrainJob(folder / "run.h5", sink, control);
        ASSERT_FALSE(summary.ok());
        error = summary.error();
    }
    EXPECT_EQ(error.kind, ErrorKind::Failed);
    EXPECT_NE(error.message.find("run.h5"), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find("ckpt"), std::string::npos)
        << "the record failed, not a checkpoint: " << error.message;
    ASSERT_EQ(sink.finished.size(), 1u) << "who listens must hear that the run has ended";
    EXPECT_EQ(sink.finished.front().status, report::RunStatus::Failed);
    EXPECT_TRUE(fs::exists(checkpoints.back()));
}

TEST(RunErrors, ResumingWhatIsNoRunNamesIt) {
    const testing::TemporaryFolder folder;
    report::ProgressSink silent;
    JobControl control;
    const auto missing = resumeTrainJob(folder / "none.h5", silent, control);
    ASSERT_FALSE(missing.ok());
    EXPECT_NE(missing.error().message.find("none.h5"), std::string::npos);
    std::ofstream(folder / "text.h5") << "not HDF5";
    EXPECT_NE(resumeTrainJob(folder / "text.h5", silent, control).error().message.find("text.h5"),
              std::string::npos);
    EXPECT_FALSE(reportRun(folder / "text.h5").ok());
}

TEST(RunErrors, BadModelsAndDataAreNamed) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.model.arch.clear();
    EXPECT_NE(failureOf(job, folder / "run.h5").message.find("model.arch"), std::string::npos);
    job.model.arch = "resnet21";
    EXPECT_NE(failureOf(job, folder / "run.h5").message.find("resnet20"), std::string::npos);
    job = smallJob();
    job.model.weights = (folder / "none.th").string();
    EXPECT_NE(failureOf(job, folder / "run.h5").message.find("none.th"), std::string::npos);
    job = smallJob();
    job.model.classes = 4;
    EXPECT_NE(failureOf(job, folder / "run.h5").message.find("model.classes = 10"), std::string::npos);
    job = smallJob();
    job.data.source = "cifar10:" + folder.path().string();
    EXPECT_NE(failureOf(job, folder / "run.h5").message.find(folder.path().string()), std::string::npos);
    job = smallJob();
    job.data.normalize = "cifar";
    EXPECT_NE(failureOf(job, folder / "run.h5").message.find("cifar10"), std::string::npos);
    job = smallJob();
    job.quantizer.layers["layer1.0.conv9"] = {};
    EXPECT_NE(failureOf(job, folder / "run.h5").message.find("layer1.0.conv"), std::string::npos);
    job = smallJob();
    job.train.rates.mu = 1e9;
    EXPECT_NE(failureOf(job, folder / "run.h5").message.find("train.rate_mu"), std::string::npos);
    EXPECT_FALSE(fs::exists(folder / "run.h5")) << "nothing is written before the job is known to start";
}

TEST(RunErrors, WeightsOfAnotherNetworkGetTheMappingReport) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    JobSpec job = smallJob();
    job.model.weights = (folder / "net.safetensors").string();
    job.model.arch = "resnet32";
    const Error error = failureOf(job, folder / "run.h5");
    EXPECT_NE(error.message.find("net.safetensors"), std::string::npos);
    EXPECT_NE(error.message.find("layer1.3.conv1"), std::string::npos) << error.message;
}

}  // namespace
}  // namespace bitloom::jobs
