// What every quantizer does with a state that is not its own.
#pragma once

#include <initializer_list>
#include <string>

#include <gmock/gmock.h>

#include "engine/graph/tensor.h"
#include "engine/quant/quantizer.h"

namespace bitloom::quant {

/// Refuses `state` with an error that says `text`, and is as before.
inline void expectRefused(Quantizer& quantizer, const graph::StateDict& state, const std::string& text) {
    const std::uint64_t before = graph::hashState(quantizer.state());
    const Status status = quantizer.restore(state);
    ASSERT_FALSE(status) << text;
    EXPECT_THAT(status.error().message, ::testing::HasSubstr(text));
    EXPECT_EQ(graph::hashState(quantizer.state()), before) << text;
}

/// Names an entry that is missing or of another shape.
inline void expectEntriesChecked(Quantizer& quantizer, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        graph::StateDict state = quantizer.state();
        state.erase(name);
        expectRefused(quantizer, state, name);
        state = quantizer.state();
        state[name] = graph::Tensor::fromFloats({3}, {1, 2, 3});
        expectRefused(quantizer, state, name);
    }
}

}  // namespace bitloom::quant
