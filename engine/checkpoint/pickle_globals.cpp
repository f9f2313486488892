// The short list of names, and torch's and numpy's rebuilding functions reduced to descriptions of what they
// rebuild. Nothing is looked up anywhere else, so a name that is not here cannot be reached.
#include "engine/checkpoint/pickle_globals.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>

#include "engine/checkpoint/input_file.h"

namespace bitloom::checkpoint {
namespace {

using graph::DType;
using Kind = Value::Kind;

enum class Action : std::uint8_t {
    StorageType,  ///< used in persistent ids only, never called
    Name,         ///< stands for itself: torch.float32
    RebuildTensor,
    RebuildParameter,
    Dict,
    List,
    Tuple,
    Set,
    Device,
    Encode,  ///< _codecs.encode(text, "latin1"): how protocol 2 writes bytes
    NumpyType,
    NumpyScalar
};

struct KnownName {
    std::string_view module;
    std::string_view name;
    Action action;
    DType dtype = DType::F32;
};

constexpr std::array kKnownNames = std::to_array<KnownName>({
    {"torch", "FloatStorage", Action::StorageType, DType::F32},
    {"torch", "DoubleStorage", Action::StorageType, DType::F64},
    {"torch", "HalfStorage", Action::StorageType, DType::F16},
    {"torch", "BFloat16Storage", Action::StorageType, DType::BF16},
    {"torch", "LongStorage", Action::StorageType, DType::I64},
    {"torch", "IntStorage", Action::StorageType, DType::I32},
    {"torch", "ShortStorage", Action::StorageType, DType::I16},
    {"torch", "CharStorage", Action::StorageType, DType::I8},
    {"torch", "ByteStorage", Action::StorageType, DType::U8},
    {"torch", "BoolStorage", Action::StorageType, DType::Bool},
    {"torch._utils", "_rebuild_tensor", Action::RebuildTensor},
    {"torch._utils", "_rebuild_tensor_v2", Action::RebuildTensor},
    {"torch._utils", "_rebuild_parameter", Action::RebuildParameter},
    {"torch", "Size", Action::Tuple},
    {"torch", "device", Action::Device},
    {"collections", "OrderedDict", Action::Dict},
    {"collections", "defaultdict", Action::Dict},
    {"collections", "Counter", Action::Dict},
    {"builtins", "dict", Action::Dict},
    {"builtins", "list", Action::List},
    {"builtins", "tuple", Action::Tuple},
    {"builtins", "set", Action::Set},
    {"builtins", "frozenset", Action::Set},
    {"_codecs", "encode", Action::Encode},
    {"numpy", "dtype", Action::NumpyType},
    {"numpy.core.multiarray", "scalar", Action::NumpyScalar},
    {"numpy._core.multiarray", "scalar", Action::NumpyScalar},
    {"torch", "float32", Action::Name},
    {"torch", "float64", Action::Name},
    {"torch", "float16", Action::Name},
    {"torch", "bfloat16", Action::Name},
    {"torch", "int64", Action::Name},
    {"torch", "int32", Action::Name},
    {"torch", "int16", Action::Name},
    {"torch", "int8", Action::Name},
    {"torch", "uint8", Action::Name},
    {"torch", "bool", Action::Name},
});

const KnownName& knownName(const Value& global) {
    return kKnownNames[static_cast<std::size_t>(global.integer)];
}

/// Modules whose functions act on the computer: a weight file has no honest use for them.
bool isCode(std::string_view module) {
    constexpr std::array kModules =
        std::to_array<std::string_view>({"os",         "posix",      "nt",
                                         "subprocess", "builtins",   "sys",
                                         "shutil",     "socket",     "runpy",
                                         "importlib",  "pty",        "ctypes",
                                         "code",       "codeop",     "types",
                                         "operator",   "functools",  "pickle",
                                         "_pickle",    "webbrowser", "marshal",
                                         "pip",        "timeit",     "pdb",
                                         "bdb",        "asyncio",    "multiprocessing"});
    return std::ranges::find(kModules, module.substr(0, module.find('.'))) != kModules.end();
}

Error unknownName(std::string_view module, std::string_view name) {
    if (isCode(module)) {
        return fail(
            "{}.{}: this file asks to run code; Bitloom executes nothing and reads no further. Do not open "
            "it in Python either unless you know who made it",
            module, name);
    }
    if (module.starts_with("__torch__")) {
        return fail(
            "{}.{}: this is a TorchScript program, not a file of weights; in Python: "
            "torch.save(torch.jit.load(path).state_dict(), \"weights.pt\")",
            module, name);
    }
    if (module.starts_with("torch._utils") || module.starts_with("torch._tensor")) {
        return fail(
            "{}.{}: tensors of this kind (sparse, quantized, subclass) are not read; in Python save dense, "
            "dequantized copies: torch.save({{k: v.to_dense() ...}})",
            module, name);
    }
    return fail(
        "{}.{}: the file holds a Python object of this class, not only weights; in Python: "
        "torch.save(model.state_dict(), \"weights.pt\")",
        module, name);
}

Error malformed(std::string_view what) {
    return fail("{} is malformed: {}", what, kCopyAgain);
}

/// The arguments of a call, with checked access.
class Arguments {
  public:
    Arguments(const Pickle& pickle, const Value& tuple) : m_pickle(pickle), m_items(tuple.items) {}

    [[nodiscard]] std::size_t count() const { return m_items.size(); }
    /// Argument `index` when it is there and of `kind`, else nullptr.
    [[nodiscard]] const Value* get(std::size_t index, Kind kind) const {
        if (index >= m_items.size() || m_pickle[m_items[index]].kind != kind) return nullptr;
        return &m_pickle[m_items[index]];
    }
    [[nodiscard]] const Value& operator[](std::size_t index) const { return m_pickle[m_items[index]]; }

  private:
    const Pickle& m_pickle;
    std::span<const ValueId> m_items;
};

/// A tuple or list of at most 64 integers, as sizes and strides are.
bool readIntegers(const Pickle& pickle, const Value* value, graph::Shape& out) {
    constexpr std::size_t kMaxRank = 64;
    if (!value || value->items.size() > kMaxRank) return false;
    for (const ValueId id : value->items) {
        if (pickle[id].kind != Kind::Int) return false;
        out.push_back(pickle[id].integer);
    }
    return true;
}

/// (storage, offset, size, strides, ...): what follows concerns autograd.
Result<Value> rebuildTensor(Pickle& pickle, const Arguments& arguments) {
    const Value* storage = arguments.get(0, Kind::Storage);
    const Value* offset = arguments.get(1, Kind::Int);
    TensorView view;
    if (!storage || !offset || !readIntegers(pickle, arguments.get(2, Kind::Tuple), view.shape) ||
        !readIntegers(pickle, arguments.get(3, Kind::Tuple), view.strides) ||
        view.shape.size() != view.strides.size()) {
        return malformed("the description of a tensor");
    }
    view.storage = static_cast<std::uint32_t>(storage->integer);
    view.offset = offset->integer;
    pickle.tensors.push_back(std::move(view));
    return Value{.kind = Kind::Tensor, .integer = static_cast<std::int64_t>(pickle.tensors.size()) - 1};
}

/// dict(), OrderedDict([(key, value), ...]), Counter({...}), defaultdict(factory).
Result<Value> makeDict(const Pickle& pickle, const Arguments& arguments) {
    Value dict{.kind = Kind::Dict};
    for (std::size_t i = 0; i < arguments.count(); ++i) {
        const Value& argument = arguments[i];
        if (argument.kind == Kind::Global || argument.kind == Kind::None) continue;
        if (argument.kind == Kind::Dict) {
            dict.items.insert(dict.items.end(), argument.items.begin(), argument.items.end());
            continue;
        }
        if (argument.kind != Kind::List && argument.kind != Kind::Tuple) return malformed("a dictionary");
        for (const ValueId pair : argument.items) {
            if (pickle[pair].items.size() != 2) return malformed("a dictionary");
            dict.items.insert(dict.items.end(), pickle[pair].items.begin(), pickle[pair].items.end());
        }
    }
    return dict;
}

Result<Value> makeSequence(Kind kind, const Arguments& arguments) {
    Value sequence{.kind = kind};
    if (arguments.count() == 0) return sequence;
    const Kind source = arguments[0].kind;
    if (source != Kind::List && source != Kind::Tuple && source != Kind::Set) return malformed("a container");
    sequence.items = arguments[0].items;
    return sequence;
}

/// device("cuda", 0) as "cuda:0".
Result<Value> makeDevice(const Arguments& arguments) {
    const Value* type = arguments.get(0, Kind::Text);
    if (!type) return malformed("a device");
    const Value* index = arguments.get(1, Kind::Int);
    return Value{.kind = Kind::Text,
                 .text = index ? fmt::format("{}:{}", type->text, index->integer) : type->text};
}

/// UTF-8 of code points below 256 back to one byte each.
Result<Value> encodeLatin1(const Arguments& arguments) {
    const Value* text = arguments.get(0, Kind::Text);
    const Value* codec = arguments.get(1, Kind::Text);
    if (!text || !codec || (codec->text != "latin1" && codec->text != "latin-1"))
        return malformed("a byte string");
    Value bytes{.kind = Kind::Bytes};
    for (std::size_t i = 0; i < text->text.size(); ++i) {
        const auto lead = static_cast<unsigned char>(text->text[i]);
        if (lead < 0x80) {
            bytes.text.push_back(static_cast<char>(lead));
        } else if ((lead == 0xc2 || lead == 0xc3) && i + 1 < text->text.size()) {
            const auto next = static_cast<unsigned char>(text->text[++i]);
            bytes.text.push_back(static_cast<char>(((lead & 3u) << 6) | (next & 0x3fu)));
        } else {
            return malformed("a byte string");
        }
    }
    return bytes;
}

template <class T>
T loadAs(const std::string& bytes) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
}

/// scalar(dtype("f8"), eight bytes).
Result<Value> makeNumpyScalar(const Arguments& arguments) {
    const Value* type = arguments.get(0, Kind::NumpyType);
    const Value* bytes = arguments.get(1, Kind::Bytes);
    if (!type || !bytes) return malformed("a numpy scalar");
    const std::string& data = bytes->text;
    const std::string& name = type->text;
    if (name.size() != 2 || data.size() != static_cast<std::size_t>(name[1] - '0')) {
        return fail("a numpy scalar of type {} is not read; save it as a Python number", name);
    }
    const auto integer = [](std::int64_t v) { return Value{.kind = Kind::Int, .integer = v}; };
    if (name == "f8") return Value{.kind = Kind::Float, .real = loadAs<double>(data)};
    if (name == "f4") return Value{.kind = Kind::Float, .real = loadAs<float>(data)};
    if (name == "i8") return integer(loadAs<std::int64_t>(data));
    if (name == "i4") return integer(loadAs<std::int32_t>(data));
    if (name == "i2") return integer(loadAs<std::int16_t>(data));
    if (name == "i1") return integer(loadAs<std::int8_t>(data));
    if (name == "u1") return integer(loadAs<std::uint8_t>(data));
    if (name == "b1") return Value{.kind = Kind::Bool, .integer = data[0] != 0};
    return fail("a numpy scalar of type {} is not read; save it as a Python number", name);
}

}  // namespace

Result<std::int64_t> findGlobal(std::string_view module, std::string_view name) {
    // Python 2's and the GPU's names of the same things.
    std::string_view canonical = module;
    if (module == "__builtin__") canonical = "builtins";
    if (module == "torch.cuda" && name.ends_with("Storage")) canonical = "torch";
    const auto* found = std::ranges::find_if(
        kKnownNames, [&](const KnownName& known) { return known.module == canonical && known.name == name; });
    if (found == kKnownNames.end()) return unknownName(canonical, name);
    return found - kKnownNames.begin();
}

Result<Value> callGlobal(Pickle& pickle, const Value& callable, const Value& tuple) {
    const Arguments arguments(pickle, tuple);
    switch (knownName(callable).action) {
        case Action::StorageType:
        case Action::Name:
            break;
        case Action::RebuildTensor:
            return rebuildTensor(pickle, arguments);
        case Action::RebuildParameter:
            if (const Value* tensor = arguments.get(0, Kind::Tensor)) return Value(*tensor);
            return malformed("a parameter");
        case Action::Dict:
            return makeDict(pickle, arguments);
        case Action::List:
            return makeSequence(Kind::List, arguments);
        case Action::Tuple:
            return makeSequence(Kind::Tuple, arguments);
        case Action::Set:
            return makeSequence(Kind::Set, arguments);
        case Action::Device:
            return makeDevice(arguments);
        case Action::Encode:
            return encodeLatin1(arguments);
        case Action::NumpyType:
            if (const Value* type = arguments.get(0, Kind::Text)) {
                return Value{.kind = Kind::NumpyType, .text = type->text};
            }
            return malformed("a numpy type");
        case Action::NumpyScalar:
            return makeNumpyScalar(arguments);
    }
    return malformed(fmt::format("a call of {}", callable.text));
}

Result<Value> loadPersistent(Pickle& pickle, const Value& id) {
    constexpr std::size_t kMaxKey = 1024;
    const Arguments parts(pickle, id);
    const Value* tag = parts.get(0, Kind::Text);
    if (tag && tag->text == "module") {
        return fail(
            "the file holds a whole Python module with its source, not only weights; in Python: "
            "torch.save(model.state_dict(), \"weights.pt\")");
    }
    const Value* type = parts.get(1, Kind::Global);
    const Value* key = parts.get(2, Kind::Text);
    const Value* elements = parts.get(4, Kind::Int);
    if (id.kind != Kind::Tuple || !tag || tag->text != "storage" || !type ||
        knownName(*type).action != Action::StorageType || !key || key->text.size() > kMaxKey || !elements ||
        elements->integer < 0) {
        return malformed("the description of a storage");
    }
    const auto count = static_cast<std::uint64_t>(elements->integer);
    StorageView view{key->text, knownName(*type).dtype, count, 0, count};
    // Legacy files may describe a view: (its own key, first element, elements).
    if (const Value* part = parts.get(5, Kind::Tuple)) {
        const Arguments slice(pickle, *part);
        const Value* first = slice.get(1, Kind::Int);
        const Value* length = slice.get(2, Kind::Int);
        if (!first || !length || first->integer < 0 || length->integer < 0 ||
            first->integer > elements->integer || length->integer > elements->integer - first->integer) {
            return malformed("the description of a storage view");
        }
        view.first = static_cast<std::uint64_t>(first->integer);
        view.elements = static_cast<std::uint64_t>(length->integer);
    }
    pickle.storages.push_back(std::move(view));
    return Value{.kind = Kind::Storage, .integer = static_cast<std::int64_t>(pickle.storages.size()) - 1};
}

}  // namespace bitloom::checkpoint
