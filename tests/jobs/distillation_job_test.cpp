// A job that follows a teacher: its own start, another file, across a stop, and what cannot be taught.
#include <gtest/gtest.h>

#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

JobSpec taughtJob(const fs::path& weights) {
    JobSpec job = smallJob();
    job.model.weights = weights.string();
    job.train.distillation = 0.5;
    return job;
}

Error failureOf(const JobSpec& job, const fs::path& out) {
    report::ProgressSink silent;
    JobControl control;
    const auto summary = runTrainJob({job, out, ""}, silent, control);
    EXPECT_FALSE(summary.ok());
    return summary ? Error{} : summary.error();
}

TEST(DistillationJob, AStoppedRunEndsWithTheSameHashWithoutTheTeachersFile) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    const JobSpec job = taughtJob(folder / "net.safetensors");
    const report::RunSummary whole = trainToEnd(job, folder / "whole.h5");
    JobSpec alone = job;
    alone.train.distillation = 0;
    EXPECT_NE(trainToEnd(alone, folder / "alone.h5").hash, whole.hash);

    trainAndStop(job, folder / "run.h5", 2);
    fs::remove(folder / "net.safetensors");
    SteeringSink sink;
    JobControl control;
    const auto resumed = resumeTrainJob(folder / "run.h5", sink, control);
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
    EXPECT_EQ(resumed->hash, whole.hash);
}

TEST(DistillationJob, AnotherFileTeachesRandomWeights) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "teacher.safetensors");
    JobSpec job = taughtJob("");
    job.model.teacher = (folder / "teacher.safetensors").string();
    trainToEnd(job, folder / "run.h5");
    EXPECT_TRUE(fs::exists(folder / "run.h5.ckpt/teacher.safetensors"));
}

TEST(DistillationJob, ThereMustBeATeacher) {
    const testing::TemporaryFolder folder;
    const Error error = failureOf(taughtJob(""), folder / "run.h5");
    EXPECT_EQ(error.kind, ErrorKind::Usage);
    EXPECT_NE(error.message.find("model.teacher"), std::string::npos) << error.message;
}

TEST(DistillationJob, ADamagedTeacherIsNamedOnResume) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    trainAndStop(taughtJob(folder / "net.safetensors"), folder / "run.h5", 2);
    fs::resize_file(folder / "run.h5.ckpt/teacher.safetensors", 1000);
    SteeringSink sink;
    JobControl control;
    const auto resumed = resumeTrainJob(folder / "run.h5", sink, control);
    ASSERT_FALSE(resumed.ok());
    EXPECT_NE(resumed.error().message.find("teacher.safetensors"), std::string::npos);
}

TEST(DistillationJob, ARunThatStartsAgainKeepsItsTeacher) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    const JobSpec job = taughtJob(folder / "net.safetensors");
    trainAndStop(job, folder / "run.h5", 2);
    for (const fs::path& file : checkpointsOf(folder / "run.h5"))
        fs::remove(file);
    JobControl stopping;
    SteeringSink sink;
    sink.onMetric = [&](const report::MetricSample& sample) {
        if (sample.step == 2) stopping.stop();
    };
    const auto stopped = resumeTrainJob(folder / "run.h5", sink, stopping);
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().kind, ErrorKind::Cancelled) << stopped.error().message;
    report::ProgressSink silent;
    JobControl control;
    const auto resumed = resumeTrainJob(folder / "run.h5", silent, control);
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
}

TEST(DistillationJob, AnotherRunsTeacherIsRemoved) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    trainToEnd(taughtJob(folder / "net.safetensors"), folder / "run.h5");
    const fs::path teacher = folder / "run.h5.ckpt/teacher.safetensors";
    const fs::path halfWritten = teacher.string() + ".tmp1";
    ASSERT_TRUE(fs::exists(teacher));
    fs::copy_file(teacher, halfWritten);
    trainToEnd(smallJob(), folder / "run.h5");
    EXPECT_FALSE(fs::exists(teacher));
    EXPECT_FALSE(fs::exists(halfWritten));
}

}  // namespace
}  // namespace bitloom::jobs
