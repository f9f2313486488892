// The stack machine of pickle.h. Each opcode either moves values about or is refused; errors are kept in
// m_error and end the run, and popping an empty stack yields value 0 (None), so that no opcode can reach
// outside the tables.
#include <charconv>
#include <optional>
#include <unordered_map>
#include <utility>

#include "engine/checkpoint/byte_reader.h"
#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/pickle.h"
#include "engine/checkpoint/pickle_globals.h"
#include "engine/checkpoint/pickle_opcodes.h"
#include "engine/checkpoint/utf8.h"

namespace bitloom::checkpoint {
namespace {

using Kind = Value::Kind;

constexpr std::size_t kMaxValues = 2'000'000;
constexpr std::size_t kMaxStack = 4'000'000;
/// Text and items that calls copy; everything else is bounded by the pickle's own length.
constexpr std::size_t kMaxCopiedBytes = std::size_t{64} << 20;

class Machine {
  public:
    explicit Machine(std::span<const std::byte> bytes) : m_in(bytes) { m_pickle.values.emplace_back(); }

    Result<Pickle> run() {
        while (!m_stopped) {
            const std::size_t start = m_in.position();
            const auto opcode = static_cast<Opcode>(m_in.read<std::uint8_t>());
            if (!m_in.exhausted()) step(opcode);
            if (m_in.exhausted()) return endsEarly(start);
            if (m_error) return fail("pickle byte {}: {}", start, m_error->message);
        }
        m_pickle.length = m_in.position();
        return std::move(m_pickle);
    }

  private:
    [[nodiscard]] Error endsEarly(std::size_t start) const {
        if (m_in.position() >= kMaxPickleBytes) {
            return fail("its pickle is longer than {} bytes; save only the state_dict", kMaxPickleBytes);
        }
        return fail("its pickle ends early, at byte {}: {}", start, kCopyAgain);
    }

    void step(Opcode opcode) {
        if (numberOp(opcode) || textOp(opcode) || containerOp(opcode) || stackOp(opcode) || callOp(opcode))
            return;
        refuse(
            fail("instruction {:#04x} is not one that torch.save writes; save the state_dict with torch.save",
                 static_cast<unsigned>(opcode)));
    }

    void refuse(Error error) {
        if (!m_error) m_error = std::move(error);
    }
    void refuseDamaged(const char* what) { refuse(fail("{}: {}", what, kCopyAgain)); }

    void push(ValueId id) {
        if (m_stack.size() >= kMaxStack) return refuse(fail("too many values on its stack; {}", kCopyAgain));
        m_stack.push_back(id);
    }
    void push(Value value) {
        if (m_pickle.values.size() >= kMaxValues) {
            return refuse(fail("it holds more than {} Python values; save only the state_dict", kMaxValues));
        }
        m_pickle.values.push_back(std::move(value));
        push(static_cast<ValueId>(m_pickle.values.size() - 1));
    }
    void pushInt(std::int64_t number) { push({.kind = Kind::Int, .integer = number}); }
    void pushBytes(Kind kind, std::string_view bytes) { push({.kind = kind, .text = std::string(bytes)}); }
    /// Python 2 wrote bytes and text alike.
    void pushText(std::string_view text) { pushBytes(isUtf8(text) ? Kind::Text : Kind::Bytes, text); }

    [[nodiscard]] std::size_t floor() const { return m_marks.empty() ? 0 : m_marks.back(); }
    ValueId top() {
        if (m_stack.size() > floor()) return m_stack.back();
        refuseDamaged("its stack is empty");
        return 0;
    }
    ValueId pop() {
        const ValueId id = top();
        if (!m_error) m_stack.pop_back();
        return id;
    }
    /// Everything above the newest mark, which goes too.
    std::vector<ValueId> popToMark() {
        if (m_marks.empty()) {
            refuseDamaged("a mark is missing");
            return {};
        }
        const auto first = m_stack.begin() + static_cast<std::ptrdiff_t>(m_marks.back());
        std::vector<ValueId> items(first, m_stack.end());
        m_stack.erase(first, m_stack.end());
        m_marks.pop_back();
        return items;
    }
    void pushTuple(std::size_t count) {
        std::vector<ValueId> items(count);
        for (std::size_t i = count; i > 0; --i)
            items[i - 1] = pop();
        push({.kind = Kind::Tuple, .items = std::move(items)});
    }
    [[nodiscard]] Value& at(ValueId id) { return m_pickle.values[id]; }

    // Instructions by subject, one line each; false when the opcode is of another subject.
    // clang-format off
    bool numberOp(Opcode opcode) {
        switch (opcode) {
            case Opcode::None: push(Value{}); return true;
            case Opcode::NewTrue: push({.kind = Kind::Bool, .integer = 1}); return true;
            case Opcode::NewFalse: push({.kind = Kind::Bool}); return true;
            case Opcode::BinInt: pushInt(m_in.read<std::int32_t>()); return true;
            case Opcode::BinInt1: pushInt(m_in.read<std::uint8_t>()); return true;
            case Opcode::BinInt2: pushInt(m_in.read<std::uint16_t>()); return true;
            case Opcode::Long1: pushLong(m_in.take(m_in.read<std::uint8_t>())); return true;
            case Opcode::Long4: pushLong(m_in.take(m_in.read<std::uint32_t>())); return true;
            case Opcode::BinFloat: push({.kind = Kind::Float, .real = m_in.readBigEndianDouble()}); return true;
            case Opcode::IntLine:
            case Opcode::LongLine: pushIntLine(m_in.takeLine()); return true;
            case Opcode::FloatLine: pushFloatLine(m_in.takeLine()); return true;
            default: return false;
        }
    }

    /// Two's complement, little-endian, any length.
    void pushLong(std::span<const std::byte> bytes) {
        if (bytes.size() > sizeof(std::int64_t)) {
            return pushBytes(Kind::BigInt, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        }
        const bool negative = !bytes.empty() && (bytes.back() & std::byte{0x80}) != std::byte{};
        std::int64_t number = negative ? -1 : 0;
        if (!bytes.empty()) std::memcpy(&number, bytes.data(), bytes.size());
        pushInt(number);
    }

    void pushIntLine(std::string_view line) {
        if (line == "00" || line == "01") return push({.kind = Kind::Bool, .integer = line == "01"});
        if (line.ends_with('L')) line.remove_suffix(1);
        std::int64_t number = 0;
        const auto [end, code] = std::from_chars(line.data(), line.data() + line.size(), number);
        if (code == std::errc::result_out_of_range) return pushBytes(Kind::BigInt, line);
        if (code != std::errc{} || end != line.data() + line.size()) return refuseDamaged("an integer is malformed");
        pushInt(number);
    }

    void pushFloatLine(std::string_view line) {
        double number = 0;
        const auto [end, code] = std::from_chars(line.data(), line.data() + line.size(), number);
        if (code != std::errc{} || end != line.data() + line.size()) return refuseDamaged("a number is malformed");
        push({.kind = Kind::Float, .real = number});
    }

    bool textOp(Opcode opcode) {
        switch (opcode) {
            case Opcode::ShortBinUnicode:
            case Opcode::ShortBinString: pushText(m_in.takeText(m_in.read<std::uint8_t>())); return true;
            case Opcode::BinUnicode:
            case Opcode::BinString: pushText(m_in.takeText(m_in.read<std::uint32_t>())); return true;
            case Opcode::BinUnicode8: pushText(m_in.takeText(m_in.read<std::uint64_t>())); return true;
            case Opcode::ShortBinBytes: pushBytes(Kind::Bytes, m_in.takeText(m_in.read<std::uint8_t>())); return true;
            case Opcode::BinBytes: pushBytes(Kind::Bytes, m_in.takeText(m_in.read<std::uint32_t>())); return true;
            case Opcode::BinBytes8:
            case Opcode::ByteArray8: pushBytes(Kind::Bytes, m_in.takeText(m_in.read<std::uint64_t>())); return true;
            case Opcode::UnicodeLine: pushTextLine(m_in.takeLine()); return true;
            case Opcode::StringLine: pushQuotedLine(m_in.takeLine()); return true;
            default: return false;
        }
    }

    void pushTextLine(std::string_view line) {
        if (line.find('\\') != std::string_view::npos) {
            return refuse(fail("escaped text of pickle protocol 0; save it again with torch.save's own protocol, 2"));
        }
        pushText(line);
    }

    void pushQuotedLine(std::string_view line) {
        if (line.size() < 2 || line.front() != line.back() || (line.front() != '\'' && line.front() != '"')) {
            return refuseDamaged("a text lacks its quotes");
        }
        pushTextLine(line.substr(1, line.size() - 2));
    }

    bool containerOp(Opcode opcode) {
        switch (opcode) {
            case Opcode::EmptyList: push({.kind = Kind::List}); return true;
            case Opcode::EmptyDict: push({.kind = Kind::Dict}); return true;
            case Opcode::EmptyTuple: push({.kind = Kind::Tuple}); return true;
            case Opcode::EmptySet: push({.kind = Kind::Set}); return true;
            case Opcode::Tuple1: pushTuple(1); return true;
            case Opcode::Tuple2: pushTuple(2); return true;
            case Opcode::Tuple3: pushTuple(3); return true;
            case Opcode::Tuple: push({.kind = Kind::Tuple, .items = popToMark()}); return true;
            case Opcode::List: push({.kind = Kind::List, .items = popToMark()}); return true;
            case Opcode::FrozenSet: push({.kind = Kind::Set, .items = popToMark()}); return true;
            case Opcode::Dict: pushDict(popToMark()); return true;
            case Opcode::Append: extendTop(Kind::List, {pop()}); return true;
            case Opcode::Appends: extendTop(Kind::List, popToMark()); return true;
            case Opcode::AddItems: extendTop(Kind::Set, popToMark()); return true;
            case Opcode::SetItems: extendTop(Kind::Dict, popToMark()); return true;
            case Opcode::SetItem: setItem(); return true;
            default: return false;
        }
    }

    void pushDict(std::vector<ValueId> items) {
        if (items.size() % 2 != 0) return refuseDamaged("a dictionary has a key without a value");
        push({.kind = Kind::Dict, .items = std::move(items)});
    }

    void extendTop(Kind kind, const std::vector<ValueId>& items) {
        const ValueId id = top();
        if (m_error) return;
        Value& target = at(id);
        if (target.kind != kind || (kind == Kind::Dict && items.size() % 2 != 0)) {
            return refuseDamaged("items are added to something that cannot hold them");
        }
        target.items.insert(target.items.end(), items.begin(), items.end());
    }

    void setItem() {
        const ValueId value = pop();
        const ValueId key = pop();
        extendTop(Kind::Dict, {key, value});
    }

    bool stackOp(Opcode opcode) {
        switch (opcode) {
            case Opcode::Proto: checkProtocol(m_in.read<std::uint8_t>()); return true;
            case Opcode::Frame: m_in.read<std::uint64_t>(); return true;  // only a hint for buffered readers
            case Opcode::Mark: mark(); return true;
            case Opcode::Pop: popOrUnmark(); return true;
            case Opcode::PopMark: popToMark(); return true;
            case Opcode::Dup: push(top()); return true;
            case Opcode::GetLine: recall(parseIndex(m_in.takeLine())); return true;
            case Opcode::BinGet: recall(m_in.read<std::uint8_t>()); return true;
            case Opcode::LongBinGet: recall(m_in.read<std::uint32_t>()); return true;
            case Opcode::PutLine: remember(parseIndex(m_in.takeLine())); return true;
            case Opcode::BinPut: remember(m_in.read<std::uint8_t>()); return true;
            case Opcode::LongBinPut: remember(m_in.read<std::uint32_t>()); return true;
            case Opcode::Memoize: remember(static_cast<std::uint32_t>(m_memo.size())); return true;
            case Opcode::Stop: stop(); return true;
            default: return false;
        }
    }

    void stop() {
        m_pickle.root = pop();
        m_stopped = true;
    }
    void checkProtocol(unsigned protocol) {
        if (protocol > 5) refuse(fail("pickle protocol {} is unknown; save it with protocol 2", protocol));
    }
    void mark() {
        if (m_marks.size() >= kMaxStack) return refuse(fail("too many marks on its stack; {}", kCopyAgain));
        m_marks.push_back(m_stack.size());
    }
    void popOrUnmark() {
        if (!m_marks.empty() && m_marks.back() == m_stack.size()) {
            m_marks.pop_back();
        } else {
            pop();
        }
    }
    std::uint32_t parseIndex(std::string_view line) {
        std::uint32_t index = 0;
        const auto [end, code] = std::from_chars(line.data(), line.data() + line.size(), index);
        if (code != std::errc{} || end != line.data() + line.size()) refuseDamaged("a memo index is malformed");
        return index;
    }
    void remember(std::uint32_t index) {
        const ValueId id = top();
        if (m_memo.size() >= kMaxValues) return refuse(fail("its memo is too large; {}", kCopyAgain));
        if (!m_error) m_memo[index] = id;
    }
    void recall(std::uint32_t index) {
        const auto found = m_memo.find(index);
        if (found == m_memo.end()) return refuseDamaged("it refers to a value that was never stored");
        push(found->second);
    }

    bool callOp(Opcode opcode) {
        switch (opcode) {
            case Opcode::Global: pushGlobalLines(); return true;
            case Opcode::StackGlobal: pushStackGlobal(); return true;
            case Opcode::Inst: callInst(); return true;
            case Opcode::Obj: callAboveMark(); return true;
            case Opcode::Reduce:
            case Opcode::NewObj: callTop(); return true;
            case Opcode::NewObjEx: callWithKeywords(); return true;
            case Opcode::Build: build(); return true;
            case Opcode::BinPersId: loadStorage(pop()); return true;
            case Opcode::PersIdLine: refuse(fail("a persistent id in text form; save it with protocol 2")); return true;
            default: return false;
        }
    }

    void pushGlobalLines() {
        const std::string_view module = m_in.takeLine();
        pushGlobal(module, m_in.takeLine());
    }

    void pushGlobal(std::string_view module, std::string_view name) {
        if (m_in.exhausted()) return;  // the name is cut off: truncation is the error to report
        Result<std::int64_t> known = findGlobal(module, name);
        if (!known) return refuse(std::move(known).error());
        push({.kind = Kind::Global, .integer = *known, .text = fmt::format("{}.{}", module, name)});
    }

    void pushStackGlobal() {
        const ValueId name = pop();
        const ValueId module = pop();
        if (m_error) return;
        if (at(name).kind != Kind::Text || at(module).kind != Kind::Text) {
            return refuseDamaged("the name of a global is not text");
        }
        const std::string moduleText = at(module).text;
        const std::string nameText = at(name).text;
        pushGlobal(moduleText, nameText);
    }

    void callInst() {
        pushGlobalLines();
        if (m_error || m_in.exhausted()) return;
        const ValueId callable = pop();
        call(callable, {.kind = Kind::Tuple, .items = popToMark()});
    }

    void callWithKeywords() {
        const ValueId keywords = pop();
        if (!m_error && !at(keywords).items.empty()) return refuseDamaged("an object is built from keyword arguments");
        callTop();
    }

    void callAboveMark() {
        std::vector<ValueId> items = popToMark();
        if (m_error || items.empty()) return refuseDamaged("an object lacks its class");
        const ValueId callable = items.front();
        items.erase(items.begin());
        call(callable, {.kind = Kind::Tuple, .items = std::move(items)});
    }

    void callTop() {
        const ValueId arguments = pop();
        const ValueId callable = pop();
        if (!m_error) call(callable, at(arguments));
    }

    void call(ValueId callable, const Value& arguments) {
        if (m_error) return;
        if (at(callable).kind != Kind::Global || arguments.kind != Kind::Tuple) {
            return refuseDamaged("it calls something that is not a function");
        }
        pushResult(callGlobal(m_pickle, at(callable), arguments));
    }

    void loadStorage(ValueId id) {
        if (!m_error) pushResult(loadPersistent(m_pickle, at(id)));
    }

    void pushResult(Result<Value> result) {
        if (!result) return refuse(std::move(result).error());
        m_copiedBytes += result->text.size() + result->items.size() * sizeof(ValueId);
        if (m_copiedBytes > kMaxCopiedBytes) return refuse(fail("its calls copy too much; {}", kCopyAgain));
        push(std::move(result).value());
    }

    /// Attributes of containers (an OrderedDict's _metadata) say nothing about weights and are dropped.
    void build() {
        const ValueId state = pop();
        const ValueId target = top();
        if (m_error || at(target).kind == Kind::Dict) return;
        if (at(target).kind != Kind::NumpyType) {
            return refuse(fail("it sets attributes on a Python object; save only the state_dict with torch.save"));
        }
        const std::vector<ValueId>& items = at(state).items;
        if (items.size() > 1 && at(items[1]).text == ">") {
            refuse(fail("it holds big-endian numpy data; convert it to the native byte order and save again"));
        }
    }

    ByteReader m_in;
    Pickle m_pickle;
    std::vector<ValueId> m_stack;
    std::vector<std::size_t> m_marks;
    std::unordered_map<std::uint32_t, ValueId> m_memo;
    std::optional<Error> m_error;
    std::size_t m_copiedBytes = 0;
    bool m_stopped = false;
};

}  // namespace

Result<Pickle> readPickle(std::span<const std::byte> bytes) {
    if (bytes.size() > kMaxPickleBytes) bytes = bytes.first(kMaxPickleBytes);
    return Machine(bytes).run();
}

}  // namespace bitloom::checkpoint
