// Embeddings and landscapes whose values follow from their places.
#pragma once

#include "engine/report/embedding.h"
#include "engine/report/landscape.h"

namespace bitloom::testing {

/// `images` on a spiral, class i % 3 of "cat", "dog", "ship, steam". Full precision tells image 1 wrong, as
/// 2; quantized images 1 and 4, as 0.
[[nodiscard]] report::Embedding makeEmbedding(int images);

/// Loss 0.1 + alpha^2 + beta^2 in full precision and 0.2 + 2 (alpha - 0.5)^2 + 2 beta^2 quantized, top-1 100
/// / (1 + loss), all points done.
[[nodiscard]] report::Landscape makeLandscape(int size);

}  // namespace bitloom::testing
