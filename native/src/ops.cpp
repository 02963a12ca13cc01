// Any operator of libtorch, or of ours, through one boxed call.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>
#include <ATen/core/stack.h>
#include <c10/core/GradMode.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "abi.h"
#include "typed_call.h"

namespace {

enum class Kind {
  tensor,
  integer,
  number,
  boolean,
  scalar,
  string,
  device,
  integer_list,
  number_list,
  boolean_list,
  tensor_list,
  optional_tensor_list,
  generator,
  unsupported
};

Kind list_kind(const c10::Type& element) {
  switch (element.kind()) {
    case c10::TypeKind::TensorType:
      return Kind::tensor_list;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      return Kind::integer_list;
    case c10::TypeKind::FloatType:
      return Kind::number_list;
    case c10::TypeKind::BoolType:
      return Kind::boolean_list;
    case c10::TypeKind::OptionalType:
      return element.castRaw<c10::OptionalType>()->getElementType()->kind() == c10::TypeKind::TensorType
                 ? Kind::optional_tensor_list
                 : Kind::unsupported;
    default:
      return Kind::unsupported;
  }
}

Kind kind_of(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType:
      return Kind::tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
    case c10::TypeKind::ScalarTypeType:
    case c10::TypeKind::LayoutType:
    case c10::TypeKind::MemoryFormatType:
      return Kind::integer;
    case c10::TypeKind::FloatType:
      return Kind::number;
    case c10::TypeKind::BoolType:
      return Kind::boolean;
    case c10::TypeKind::NumberType:
      return Kind::scalar;
    case c10::TypeKind::StringType:
      return Kind::string;
    case c10::TypeKind::DeviceObjType:
      return Kind::device;
    case c10::TypeKind::GeneratorType:
      return Kind::generator;
    case c10::TypeKind::ListType:
      return list_kind(*type.castRaw<c10::ListType>()->getElementType());
    default:
      return Kind::unsupported;
  }
}

struct Parameter {
  Kind kind;
  bool optional;
};

const char* tag_name(int32_t tag) {
  static const char* const names[] = {"none",     "tensor",      "int",       "double",      "bool",  "string",
                                      "int list", "double list", "bool list", "tensor list", "dtype", "device"};
  return tag >= PT_NONE && tag <= PT_DEVICE ? names[tag] : "unknown tag";
}

}  // namespace

struct pt_op_handle {
  c10::OperatorHandle op;
  std::vector<Parameter> parameters;
  bool functional;  // writes into no argument and returns none, nor a view of one
  panatune::TypedCall typed;
};

namespace {

using panatune::borrow;
using panatune::borrow_or_undefined;

template <typename T>
c10::List<T> list_of(const pt_value& value) {
  auto* data = static_cast<const T*>(value.as.data);
  c10::List<T> list;
  list.reserve(value.length);
  for (int32_t i = 0; i < value.length; i++) {
    list.push_back(data[i]);
  }
  return list;
}

[[noreturn]] void mismatch(const pt_op_handle& op, size_t index, const pt_value& value) {
  const auto& schema = op.op.schema();
  const auto& argument = schema.arguments()[index];
  TORCH_CHECK_VALUE(false, schema.operator_name(), ": argument ", index + 1, " (", argument.name(), ") takes ",
                    argument.type()->str(), ", not a ", tag_name(value.tag));
}

// The IValue that the schema wants of the slot.
c10::IValue convert(const pt_op_handle& op, size_t index, const pt_value& value) {
  const auto& parameter = op.parameters[index];
  if (value.tag == PT_NONE) {
    if (parameter.optional || parameter.kind == Kind::generator) {
      return {};
    }
    if (parameter.kind == Kind::tensor) {
      return at::Tensor();
    }
    mismatch(op, index, value);
  }
  switch (parameter.kind) {
    case Kind::tensor:
      if (value.tag == PT_TENSOR) {
        return borrow(value.as.tensor);
      }
      break;
    case Kind::integer:
      if (value.tag == PT_INT || value.tag == PT_DTYPE) {
        return value.as.integer;
      }
      break;
    case Kind::number:
      if (value.tag == PT_DOUBLE) {
        return value.as.number;
      }
      if (value.tag == PT_INT) {
        return static_cast<double>(value.as.integer);
      }
      break;
    case Kind::boolean:
      if (value.tag == PT_BOOL) {
        return value.as.integer != 0;
      }
      break;
    case Kind::scalar:
      if (value.tag == PT_INT) {
        return value.as.integer;
      }
      if (value.tag == PT_DOUBLE) {
        return value.as.number;
      }
      if (value.tag == PT_BOOL) {
        return value.as.integer != 0;
      }
      break;
    case Kind::string:
      if (value.tag == PT_STRING) {
        return std::string(static_cast<const char*>(value.as.data), value.length);
      }
      break;
    case Kind::device:
      if (value.tag == PT_DEVICE) {
        return c10::Device(static_cast<c10::DeviceType>(value.as.integer >> 32),
                           static_cast<c10::DeviceIndex>(static_cast<int32_t>(value.as.integer)));
      }
      break;
    case Kind::integer_list:
      if (value.tag == PT_INT_LIST) {
        return list_of<int64_t>(value);
      }
      if (value.tag == PT_INT) {  // as in Python: one number where a list is expected
        return c10::List<int64_t>({value.as.integer});
      }
      break;
    case Kind::number_list:
      if (value.tag == PT_DOUBLE_LIST) {
        return list_of<double>(value);
      }
      break;
    case Kind::boolean_list:
      if (value.tag == PT_BOOL_LIST) {
        auto* data = static_cast<const uint8_t*>(value.as.data);
        c10::List<bool> list;
        for (int32_t i = 0; i < value.length; i++) {
          list.push_back(data[i] != 0);
        }
        return list;
      }
      break;
    case Kind::tensor_list:
      if (value.tag == PT_TENSOR_LIST) {
        auto* data = static_cast<const pt_tensor*>(value.as.data);
        c10::List<at::Tensor> list;
        list.reserve(value.length);
        for (int32_t i = 0; i < value.length; i++) {
          list.push_back(borrow(data[i]));
        }
        return list;
      }
      break;
    case Kind::optional_tensor_list:
      if (value.tag == PT_TENSOR_LIST) {
        auto* data = static_cast<const pt_tensor*>(value.as.data);
        c10::List<std::optional<at::Tensor>> list;
        for (int32_t i = 0; i < value.length; i++) {
          list.push_back(data[i] == nullptr ? std::optional<at::Tensor>() : borrow(data[i]));
        }
        return list;
      }
      break;
    case Kind::generator:
    case Kind::unsupported:
      break;
  }
  mismatch(op, index, value);
}

bool is_functional(const c10::FunctionSchema& schema) {
  auto aliases = [](const c10::Argument& argument) { return argument.alias_info() != nullptr; };
  return std::none_of(schema.arguments().begin(), schema.arguments().end(), aliases) &&
         std::none_of(schema.returns().begin(), schema.returns().end(), aliases);
}

bool requires_grad(const c10::IValue& value) {
  if (value.isTensor()) {
    return value.toTensor().requires_grad();
  }
  return value.isList() && std::ranges::any_of(value.toListRef(), requires_grad);
}

// Autograd would record nothing: its layer of the dispatcher may be passed by, which is a quarter of a small call.
bool records_nothing(const pt_op_handle& op, const torch::jit::Stack& arguments) {
  return op.functional && (!c10::GradMode::is_enabled() || std::ranges::none_of(arguments, requires_grad));
}

// The thread's stack for boxed calls, empty again at the end whatever happens.
class CallStack {
 public:
  CallStack() : stack_(of_thread()) {}
  ~CallStack() { stack_.clear(); }
  CallStack(const CallStack&) = delete;
  CallStack& operator=(const CallStack&) = delete;

  torch::jit::Stack& operator*() { return stack_; }

 private:
  static torch::jit::Stack& of_thread() {
    thread_local torch::jit::Stack stack;
    return stack;
  }

  torch::jit::Stack& stack_;
};

// Fills result slots; frees what it has given when a result does not fit.
class Results {
 public:
  Results(pt_value* slots, int32_t capacity) : slots_(slots), capacity_(capacity) {}

  void add(const c10::OperatorName& name, c10::IValue value) {
    if (value.isTensorList()) {
      for (const at::Tensor& tensor : value.toTensorVector()) {
        add_tensor(name, tensor);
      }
    } else if (value.isTensor()) {
      add_tensor(name, std::move(value).toTensor());
    } else {
      add_plain(name, value);
    }
  }

  void add_tensor(const c10::OperatorName& name, at::Tensor tensor) {
    auto& slot = next(name);
    slot.tag = tensor.defined() ? PT_TENSOR : PT_NONE;
    slot.as.tensor = panatune::give(std::move(tensor));
  }

  int32_t count() const { return count_; }

  void discard() {
    for (int32_t i = 0; i < count_; i++) {
      if (slots_[i].tag == PT_TENSOR) {
        pt_tensors_free(&slots_[i].as.tensor, 1, nullptr);
      }
    }
  }

 private:
  pt_value& next(const c10::OperatorName& name) {
    TORCH_CHECK_VALUE(count_ < capacity_, name, " has more results than the ", capacity_,
                      " that the caller has room for");
    return slots_[count_++];
  }

  void add_plain(const c10::OperatorName& name, const c10::IValue& value) {
    auto& slot = next(name);
    if (value.isNone()) {
      slot.tag = PT_NONE;
      slot.as.integer = 0;
    } else if (value.isInt()) {
      slot.tag = PT_INT;
      slot.as.integer = value.toInt();
    } else if (value.isDouble()) {
      slot.tag = PT_DOUBLE;
      slot.as.number = value.toDouble();
    } else if (value.isBool()) {
      slot.tag = PT_BOOL;
      slot.as.integer = value.toBool() ? 1 : 0;
    } else {
      count_--;
      TORCH_CHECK_VALUE(false, name, " returns a ", value.tagKind(), ", which this call does not carry");
    }
  }

  pt_value* slots_;
  int32_t capacity_;
  int32_t count_ = 0;
};

}  // namespace

using namespace panatune;

int32_t pt_op_find(const char* name, const char* overload, pt_op* result, pt_error* error) {
  return protect(error, [&] {
    static std::mutex mutex;
    static auto& found = *new std::map<std::pair<std::string, std::string>, pt_op>();
    std::lock_guard<std::mutex> lock(mutex);
    auto& entry = found[{name, overload}];
    if (entry == nullptr) {
      auto op = c10::Dispatcher::singleton().findSchema({name, overload});
      TORCH_CHECK_VALUE(op.has_value(), "no operator ", name, " with overload '", overload, "' in this libtorch");
      std::vector<Parameter> parameters;
      for (const auto& argument : op->schema().arguments()) {
        auto type = argument.real_type();
        bool optional = type->kind() == c10::TypeKind::OptionalType;
        const auto& plain = optional ? *type->castRaw<c10::OptionalType>()->getElementType() : *type;
        parameters.push_back({kind_of(plain), optional});
      }
      bool functional = is_functional(op->schema());
      entry = new pt_op_handle{*op, std::move(parameters), functional, functional ? TypedCall(*op) : TypedCall()};
    }
    *result = entry;
  });
}

int32_t pt_op_call(pt_op op, const pt_value* arguments, int32_t n, pt_value* results, int32_t capacity, int32_t* count,
                   pt_error* error) {
  return protect(error, [&] {
    const auto& schema = op->op.schema();
    TORCH_CHECK_VALUE(static_cast<size_t>(n) <= op->parameters.size(), schema.operator_name(), " takes ",
                      op->parameters.size(), " arguments, not ", n);
    Results filled(results, capacity);
    if (auto result = op->typed(arguments, n)) {
      filled.add_tensor(schema.operator_name(), std::move(*result));
      *count = 1;
      return;
    }
    CallStack of_thread;
    auto& stack = *of_thread;
    for (int32_t i = 0; i < n; i++) {
      stack.push_back(convert(*op, i, arguments[i]));
    }
    for (size_t i = n; i < op->parameters.size(); i++) {
      const auto& argument = schema.arguments()[i];
      TORCH_CHECK_VALUE(argument.default_value().has_value(), schema.operator_name(), ": argument ", i + 1, " (",
                        argument.name(), ") is missing and has no default");
      stack.push_back(*argument.default_value());
    }
    {
      std::optional<at::AutoDispatchBelowAutograd> below_autograd;
      if (records_nothing(*op, stack)) {
        below_autograd.emplace();
      }
      op->op.callBoxed(stack);
    }
    try {
      for (auto& value : stack) {
        filled.add(schema.operator_name(), std::move(value));
      }
    } catch (...) {
      filled.discard();
      throw;
    }
    *count = filled.count();
  });
}
