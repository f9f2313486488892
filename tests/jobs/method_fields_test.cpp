// What is offered of each method is what a job may say of it.
#include "engine/jobs/method_fields.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "engine/quant/method_names.h"

namespace bitloom::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const MethodFields& fieldsOf(const std::string& name) {
    static const MethodFields none;
    const auto found = std::ranges::find(methodFields(), name, &MethodFields::name);
    EXPECT_NE(found, methodFields().end()) << name;
    return found == methodFields().end() ? none : *found;
}

TEST(MethodFields, EveryMethodIsThereInOrder) {
    std::vector<std::string> names;
    for (const MethodFields& method : methodFields())
        names.push_back(method.name);
    EXPECT_EQ(names, quant::methodNames());
}

TEST(MethodFields, SizesAreThoseThatTheMethodTakes) {
    EXPECT_THAT(fieldsOf("none").sizes, IsEmpty());
    EXPECT_THAT(fieldsOf("dgms").sizes, SizeIs(255));
    for (const char* name : {"uniform", "sdq", "dgms-mixed"})
        EXPECT_THAT(fieldsOf(name).sizes, ElementsAre(2, 4, 8, 16, 32, 64, 128, 256)) << name;
    for (const char* name : {"rdhs", "sgt"})
        EXPECT_THAT(fieldsOf(name).sizes, ElementsAre(2, 4, 6, 8, 10, 12, 14, 16)) << name;
}

TEST(MethodFields, ValuesBudgetsAndMixturesBelongToTheirMethods) {
    for (const MethodFields& method : methodFields()) {
        EXPECT_EQ(method.values, method.name == "rdhs" || method.name == "sgt") << method.name;
        EXPECT_EQ(method.budget, method.name == "sdq" || method.name == "dgms-mixed") << method.name;
        EXPECT_EQ(method.mixture, method.name == "dgms" || method.name == "dgms-mixed") << method.name;
    }
}

}  // namespace
}  // namespace bitloom::jobs
