// The lines of the registry: their names, and that what layers run is among them. What the kernels compute is
// checked in microkernel_test.cpp.
#include "engine/qsimd/kernels/registry.h"

#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "engine/qsimd/lower.h"
#include "engine/qsimd/runtime/network.h"
#include "tests/qsimd/reference_network.h"

namespace bitloom::qsimd {
namespace {

TEST(Registry, EveryNameFollowsOneGrammar) {
    const std::regex grammar("(fp32|int8)_([a-z0-9]+)_([0-9]+x[0-9]+|naive|depthwise|paper4|paper2)");
    std::set<std::string> names;
    for (const KernelLine& line : allKernels()) {
        const std::string name = line.name;
        std::smatch part;
        ASSERT_TRUE(std::regex_match(name, part, grammar)) << name;
        EXPECT_EQ(part[2], isaName(line.isa)) << name;
        EXPECT_TRUE(names.insert(name).second) << name << " twice";
    }
    EXPECT_EQ(names.size(), allMicrokernels().size() + allRowKernels().size());
    for (const RowKernel& kernel : allRowKernels()) {
        const std::string name = kernel.name;
        const std::string what = name.substr(name.rfind('_') + 1);
        const char* kinds[] = {"naive", "depthwise", "paper4", "paper2"};
        EXPECT_EQ(what, kinds[static_cast<int>(kernel.kind)]) << name;
        EXPECT_EQ(name.starts_with("int8"), kernel.bytes != nullptr) << name;
        EXPECT_EQ((kernel.floats != nullptr) + (kernel.bytes != nullptr) + (kernel.paper != nullptr), 1)
            << name;
    }
}

TEST(Registry, WhatALayerRunsIsALineOfIt) {
    std::set<std::string> names;
    for (const KernelLine& line : allKernels())
        names.insert(line.name);
    const DeployedNetwork source = testing::sourceOf(testing::graphOfEverything(), 16);
    std::set<std::string> used;
    for (const Family family : {Family::NaiveFp32, Family::TunedFp32, Family::PaperCodebook, Family::K0}) {
        LoweringOptions options;
        options.exactFamily = family;
        const auto model = lower(source, options);
        ASSERT_TRUE(model.ok()) << model.error().message;
        const Network network(*model, {}, 1);
        for (std::size_t step = 0; step < model->steps.size(); ++step) {
            if (!std::holds_alternative<Convolution>(model->steps[step])) continue;
            EXPECT_TRUE(names.contains(network.info(step).kernel)) << network.info(step).kernel;
            used.insert(network.info(step).kernel.substr(network.info(step).kernel.rfind('_') + 1));
        }
    }
    for (const char* kind : {"naive", "depthwise", "paper4"})
        EXPECT_TRUE(used.contains(kind)) << kind;
}

}  // namespace
}  // namespace bitloom::qsimd
