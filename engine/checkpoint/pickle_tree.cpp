#include "engine/checkpoint/pickle_tree.h"

#include <string>
#include <unordered_set>
#include <utility>

namespace bitloom::checkpoint {
namespace {

using Kind = Value::Kind;

constexpr std::size_t kMaxDepth = 64;
/// Shared containers make a small pickle a large tree: [x, x] of [y, y] of ...
constexpr std::size_t kMaxVisits = 4'000'000;
constexpr std::size_t kMaxKey = 4096;

bool isScalar(Kind kind) {
    return kind == Kind::None || kind == Kind::Bool || kind == Kind::Int || kind == Kind::Float ||
           kind == Kind::Text;
}

/// 91.7, text without quotes, true, none.
std::string scalarText(const Value& value) {
    switch (value.kind) {
        case Kind::None:
            return "none";
        case Kind::Bool:
            return value.integer != 0 ? "true" : "false";
        case Kind::Int:
            return fmt::format("{}", value.integer);
        case Kind::Float:
            return fmt::format("{}", value.real);
        default:
            return value.text;
    }
}

class Flattener {
  public:
    Flattener(const Pickle& pickle, const InputFile& file, const FindStorage& findStorage,
              MemoryBudget& budget)
        : m_pickle(pickle), m_file(file), m_findStorage(findStorage), m_budget(budget) {}

    Result<Checkpoint> run() {
        BITLOOM_RETURN_IF_ERROR(visit(m_pickle.root, 0));
        return std::move(m_result);
    }

  private:
    Status visit(ValueId id, std::size_t depth) {
        if (++m_visits > kMaxVisits) {
            return fail("its containers unfold to more than {} values; save only the state_dict", kMaxVisits);
        }
        const Value& value = m_pickle[id];
        if (value.kind == Kind::Tensor) return addTensor(value);
        if (value.items.empty()) return {};
        if (!m_open.insert(id).second) {
            return fail(
                "its containers are cyclic: {} is a container that it lies in; save a plain state_dict with "
                "torch.save",
                place());
        }
        if (depth >= kMaxDepth) {
            return fail("{} is nested deeper than {} levels; save a plain state_dict with torch.save",
                        place(), kMaxDepth);
        }
        BITLOOM_RETURN_IF_ERROR(value.kind == Kind::Dict ? visitDict(value, depth)
                                                         : visitSequence(value, depth));
        m_open.erase(id);
        return {};
    }

    Status visitDict(const Value& dict, std::size_t depth) {
        std::unordered_set<std::string_view> names;
        for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
            const Value& key = m_pickle[dict.items[i]];
            if (key.kind == Kind::Text && !names.insert(key.text).second) {
                return fail("key \"{}\" occurs twice in {}; save a plain state_dict with torch.save",
                            key.text, place());
            }
            BITLOOM_RETURN_IF_ERROR(
                visitNamed(isScalar(key.kind) ? scalarText(key) : "(key)", dict.items[i + 1], depth));
        }
        return {};
    }

    Status visitSequence(const Value& sequence, std::size_t depth) {
        for (std::size_t i = 0; i < sequence.items.size(); ++i) {
            BITLOOM_RETURN_IF_ERROR(visitNamed(fmt::format("{}", i), sequence.items[i], depth));
        }
        return {};
    }

    Status visitNamed(const std::string& name, ValueId id, std::size_t depth) {
        const Value& value = m_pickle[id];
        if (isScalar(value.kind)) {
            if (depth == 0) BITLOOM_RETURN_IF_ERROR(addMetadata(name, scalarText(value)));
            return visit(id, depth + 1);
        }
        const std::size_t length = m_path.size();
        if (length + name.size() > kMaxKey) {
            return fail("a key in {} is longer than {} bytes; save a plain state_dict with torch.save",
                        place(), kMaxKey);
        }
        if (!m_path.empty()) m_path += '.';
        m_path += name;
        Status status = visit(id, depth + 1);
        if (status.ok()) m_path.resize(length);
        return status;
    }

    Status addMetadata(const std::string& name, std::string text) {
        // One text of the pickle may be the value of many keys.
        BITLOOM_RETURN_IF_ERROR(m_budget.charge(name.size() + text.size(), "its metadata"));
        m_result.metadata[name] = std::move(text);
        return {};
    }

    Status addTensor(const Value& value) {
        const TensorView& view = m_pickle.tensors[static_cast<std::size_t>(value.integer)];
        const StorageView& storage = m_pickle.storages[view.storage];
        const std::string key = m_path.empty() ? "tensor" : m_path;
        if (m_result.tensors.contains(key)) {
            return fail("two tensors have the key {}; save a plain state_dict with torch.save", key);
        }
        BITLOOM_RETURN_IF_ERROR(m_budget.charge(key.size(), "its keys"));
        Result<RawStorage> raw = m_findStorage(storage);
        if (!raw) return fail("tensor {}: {}", key, raw.error().message);
        BITLOOM_ASSIGN_OR_RETURN(m_result.tensors[key],
                                 buildTensor(m_file, storage, *raw, view, key, m_budget));
        return {};
    }

    [[nodiscard]] std::string place() const { return m_path.empty() ? "the outermost container" : m_path; }

    const Pickle& m_pickle;
    const InputFile& m_file;
    const FindStorage& m_findStorage;
    MemoryBudget& m_budget;
    Checkpoint m_result;
    std::string m_path;
    std::unordered_set<ValueId> m_open;  ///< containers between the root and here
    std::size_t m_visits = 0;
};

}  // namespace

Result<Checkpoint> flattenPickle(const Pickle& pickle, const InputFile& file, const FindStorage& findStorage,
                                 MemoryBudget& budget) {
    return Flattener(pickle, file, findStorage, budget).run();
}

}  // namespace bitloom::checkpoint
