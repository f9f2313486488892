// A job that follows a teacher: its own start, another file, across a stop, and what cannot be taught.
#include <set>

#include <gmock/gmock.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/train/executor.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

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

TEST(DistillationJob, ARunTeachesWhatItDeploys) {
    const testing::TemporaryFolder folder;
    JobSpec teacher = smallJob();
    teacher.quantizer.layer.components = 4;
    trainToEnd(teacher, folder / "teacher.h5");
    JobSpec job = taughtJob("");
    job.model.teacher = (folder / "teacher.h5").string();
    const report::RunSummary taught = trainToEnd(job, folder / "run.h5");
    const auto file = checkpoint::readCheckpoint(folder / "run.h5.ckpt/teacher.safetensors");
    ASSERT_TRUE(file.ok()) << file.error().message;
    const std::vector<float> weights = file->tensors.at("layer1.0.conv1.weight").toFloats();
    EXPECT_LE(std::set<float>(weights.begin(), weights.end()).size(), 4u) << "not its latent weights";
    job.train.distillation = 0;
    EXPECT_NE(trainToEnd(job, folder / "alone.h5").hash, taught.hash);
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

/// Random weights of a network of the zoo for so many classes.
void writeTeacher(const fs::path& path, const char* arch, std::int64_t classes) {
    const auto graph = graph::zoo::makeModel(arch, {.classes = classes, .imageSize = 0});
    ASSERT_TRUE(graph.ok());
    const auto executor = train::Executor::create(*graph, "cpu");
    ASSERT_TRUE(executor.ok());
    (*executor)->initialize(3);
    ASSERT_TRUE(checkpoint::writeSafetensors(path, (*executor)->state()).ok());
}

TEST(DistillationJob, ATeacherOfOtherClassesIsRefusedWithBothNumbers) {
    const testing::TemporaryFolder folder;
    JobSpec job = taughtJob("");
    for (const char* arch : {"resnet20", "resnet32"}) {
        writeTeacher(folder / "teacher.safetensors", arch, 100);
        job.model.teacher = (folder / "teacher.safetensors").string();
        const Error error = failureOf(job, folder / "run.h5");
        EXPECT_EQ(error.kind, ErrorKind::Usage);
        EXPECT_THAT(error.message,
                    AllOf(HasSubstr("teacher.safetensors: the teacher tells 100 classes apart"),
                          HasSubstr("resnet20 learns 10"), HasSubstr("take a model.teacher of 10 classes")));
    }
    job.model.classes = 100;
    trainToEnd(job, folder / "hundred.h5");
}

TEST(DistillationJob, WeightsOfOtherClassesNameBothNumbers) {
    const testing::TemporaryFolder folder;
    writeTeacher(folder / "hundred.safetensors", "resnet20", 100);
    JobSpec job = smallJob();
    job.model.weights = (folder / "hundred.safetensors").string();
    EXPECT_THAT(failureOf(job, folder / "run.h5").message,
                AllOf(HasSubstr("tells 100 classes apart, the images have 10"),
                      HasSubstr("model.classes = 100"), Not(HasSubstr("--arch"))));
}

TEST(DistillationJob, ADeeperNetworkTeaches) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    writeTeacher(folder / "teacher.safetensors", "resnet56", 10);
    JobSpec job = taughtJob(folder / "net.safetensors");
    const std::string own = trainToEnd(job, folder / "own.h5").hash;
    job.model.teacher = (folder / "teacher.safetensors").string();
    const report::RunSummary whole = trainToEnd(job, folder / "run.h5");
    EXPECT_NE(whole.hash, own) << "its answers are others";
    trainAndStop(job, folder / "stopped.h5", 2);
    fs::remove(folder / "teacher.safetensors");
    report::ProgressSink silent;
    JobControl control;
    const auto resumed = resumeTrainJob(folder / "stopped.h5", silent, control);
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
    EXPECT_EQ(resumed->hash, whole.hash);
}

class Taught : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Methods, Taught,
                         ::testing::Values("none", "dgms", "dgms-mixed", "rdhs", "sgt", "uniform", "sdq"),
                         [](const auto& method) {
                             std::string name = method.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(Taught, FollowsTheTeacherAndResumesToTheBit) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    writeTeacher(folder / "teacher.safetensors", "resnet20", 10);
    JobSpec job = taughtJob(folder / "net.safetensors");
    job.model.teacher = (folder / "teacher.safetensors").string();
    job.quantizer.layer = {GetParam(), 4};
    expectResumesToTheBit(job, folder.path(), {2});
    const std::string taught = trainToEnd(job, folder / "taught.h5").hash;
    job.train.distillation = 0;
    EXPECT_NE(trainToEnd(job, folder / "alone.h5").hash, taught);
}

}  // namespace
}  // namespace bitloom::jobs
