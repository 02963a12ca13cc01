package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The functions and classes of Python that a pickle may call, by their full names. Each has a
 * meaning of its own here; nothing is looked up.
 */
enum PickleFunction {
  ORDERED_DICT("collections.OrderedDict") {
    @Override
    Object call(PickleArguments arguments) {
      return dictionary(arguments);
    }
  },
  COUNTER("collections.Counter") {
    @Override
    Object call(PickleArguments arguments) {
      return dictionary(arguments);
    }
  },
  SET("builtins.set") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(0, 1);
      return new ArrayList<>(arguments.count() == 0 ? List.of() : arguments.list(0));
    }
  },
  COMPLEX("builtins.complex") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(2, 2);
      return new PickleValue.Described(
          "(" + arguments.number(0) + "+" + arguments.number(1) + "j)");
    }
  },
  BYTEARRAY("builtins.bytearray") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(0, 2);
      return arguments.count() == 0 ? new PickleValue.Bytes(new byte[0]) : encoded(arguments);
    }
  },
  ENCODE("_codecs.encode") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(1, 2);
      return encoded(arguments);
    }
  },
  SIZE("torch.Size") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(1, 1);
      return new PickleValue.Tuple(arguments.list(0));
    }
  },
  DEVICE("torch.device") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(1, 2);
      String index = arguments.count() == 1 ? "" : ":" + arguments.integer(1);
      return new PickleValue.Described(arguments.string(0) + index);
    }
  },
  LAYOUT("torch.serialization._get_layout") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(1, 1);
      return new PickleValue.Described(arguments.string(0));
    }
  },
  PARAMETER("torch.nn.parameter.Parameter") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(1, 2);
      return arguments.view(0);
    }
  },
  REBUILD_PARAMETER("torch._utils._rebuild_parameter") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(3, 3);
      return arguments.view(0);
    }
  },
  REBUILD_PARAMETER_WITH_STATE("torch._utils._rebuild_parameter_with_state") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(4, 4);
      return arguments.view(0);
    }
  },
  REBUILD_TENSOR("torch._utils._rebuild_tensor") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(4, 4);
      return view(arguments, arguments.storage(0).dtype());
    }
  },
  REBUILD_TENSOR_V2("torch._utils._rebuild_tensor_v2") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(6, 7);
      refuseConjugate(arguments, 6);
      return view(arguments, arguments.storage(0).dtype());
    }
  },
  REBUILD_TENSOR_V3("torch._utils._rebuild_tensor_v3") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(7, 8);
      refuseConjugate(arguments, 7);
      return view(arguments, arguments.dtype(6));
    }
  },
  /** A tensor that has attributes, which are left out. */
  REBUILD_FROM_TYPE("torch._tensor._rebuild_from_type_v2") {
    @Override
    Object call(PickleArguments arguments) {
      arguments.requireCount(4, 4);
      PickleFunction function = arguments.function(0);
      if (!REBUILDERS.contains(function)) {
        throw arguments.wrong(0, "a function that makes a tensor");
      }
      PickleFunction type = arguments.function(1);
      if (type != TENSOR && type != PARAMETER) {
        throw arguments.wrong(1, "torch.Tensor or torch.nn.Parameter");
      }
      return function.call(arguments.forwarded(function, 2));
    }
  },
  TENSOR("torch.Tensor") {
    @Override
    Object call(PickleArguments arguments) {
      throw arguments.error("makes a tensor in a way that PyTorch has not used since 2018");
    }
  };

  private static final List<PickleFunction> REBUILDERS =
      List.of(
          REBUILD_TENSOR,
          REBUILD_TENSOR_V2,
          REBUILD_TENSOR_V3,
          REBUILD_PARAMETER,
          REBUILD_PARAMETER_WITH_STATE);

  private final String fullName;

  PickleFunction(String fullName) {
    this.fullName = fullName;
  }

  /** Returns module and name, as Python spells them. */
  String fullName() {
    return fullName;
  }

  /**
   * Does what the function of this name does in Python.
   *
   * @throws FormatException if the arguments are not what it takes
   */
  abstract Object call(PickleArguments arguments);

  /** Finds what a pickle may name: a function, a dtype or a class of storages. */
  static Optional<PickleValue> find(String module, String name) {
    String modern = module.equals("__builtin__") ? "builtins" : module;
    String full = modern + "." + name;
    Optional<PickleValue> function =
        Arrays.stream(values())
            .filter(candidate -> candidate.fullName.equals(full))
            .findFirst()
            .map(PickleValue.Callable::new);
    if (function.isPresent()) {
      return function;
    }
    if (full.equals("torch.storage.UntypedStorage")) {
      return Optional.of(new PickleValue.StorageClass(TorchDtype.UINT8, false));
    }
    if (!modern.equals("torch")) {
      return Optional.empty();
    }
    return TorchDtype.find(name)
        .<PickleValue>map(PickleValue.Dtype::new)
        .or(() -> TorchDtype.ofStorage(name).map(type -> new PickleValue.StorageClass(type, true)));
  }

  private static Map<Object, Object> dictionary(PickleArguments arguments) {
    arguments.requireCount(0, 1);
    Map<Object, Object> result = new LinkedHashMap<>();
    if (arguments.count() == 0) {
      return result;
    }
    if (arguments.get(0) instanceof Map<?, ?> map) {
      result.putAll(map);
      return result;
    }
    for (Object item : arguments.list(0)) {
      List<Object> pair = PickleArguments.items(item);
      if (pair == null || pair.size() != 2) {
        throw arguments.wrong(0, "a list of pairs");
      }
      PickleArguments.put(result, pair.get(0), pair.get(1), arguments.source());
    }
    return result;
  }

  private static PickleValue.Bytes encoded(PickleArguments arguments) {
    if (arguments.get(0) instanceof PickleValue.Bytes bytes) {
      return bytes;
    }
    String charset = arguments.count() < 2 ? "utf-8" : arguments.string(1);
    return new PickleValue.Bytes(
        switch (charset) {
          case "latin1", "latin-1" -> arguments.string(0).getBytes(StandardCharsets.ISO_8859_1);
          case "utf-8", "utf8", "ascii" -> arguments.string(0).getBytes(StandardCharsets.UTF_8);
          default -> throw arguments.wrong(1, "latin1, utf-8 or ascii");
        });
  }

  private static TorchView view(PickleArguments arguments, TorchDtype dtype) {
    TorchStorage storage = arguments.storage(0);
    if (storage.typed() && storage.dtype() != dtype) {
      throw arguments.error(
          "reads a storage of " + storage.dtype().torchName() + " as " + dtype.torchName());
    }
    TorchView view =
        new TorchView(storage, dtype, arguments.sizes(2), arguments.sizes(3), arguments.integer(1));
    String fault = view.fault();
    if (fault != null) {
      throw arguments.error("describes a tensor that " + fault);
    }
    return view;
  }

  /** The numbers in the file would not be the tensor's. */
  private static void refuseConjugate(PickleArguments arguments, int index) {
    if (index < arguments.count()
        && arguments.get(index) instanceof Map<?, ?> metadata
        && metadata.values().stream().anyMatch(Boolean.TRUE::equals)) {
      throw arguments.error(
          "describes a tensor that is conjugate or negated, which is not read; save"
              + " tensor.resolve_conj().resolve_neg()");
    }
  }
}
