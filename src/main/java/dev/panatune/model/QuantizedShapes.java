package dev.panatune.model;

import dev.panatune.error.FormatException;
import dev.panatune.format.StrictJson;
import dev.panatune.format.WeightStore;
import dev.panatune.tensor.TensorScope;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The shapes that a checkpoint's 4-bit weights had before they were packed, by their names. */
final class QuantizedShapes {
  private static final String MARK = ".quant_state.bitsandbytes__";
  private static final long LARGEST_STATE = 1 << 16;

  private final Map<String, long[]> shapes = new LinkedHashMap<>();

  /** Reads the states of all 4-bit weights of a checkpoint. */
  QuantizedShapes(WeightStore store) {
    for (String name : store.names()) {
      int mark = name.indexOf(MARK);
      if (mark >= 0) {
        shapes.put(name.substring(0, mark), read(store, name));
      }
    }
  }

  /** Returns whether a parameter is stored as a 4-bit weight. */
  boolean contains(String name) {
    return shapes.containsKey(name);
  }

  /** Returns the shape of a 4-bit weight. */
  long[] of(String name) {
    return shapes.get(name);
  }

  /** Returns whether a tensor belongs to a 4-bit weight, and is none itself. */
  boolean hasPart(String name) {
    for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      if (shapes.containsKey(name.substring(0, dot))) {
        return true;
      }
    }
    return false;
  }

  private static long[] read(WeightStore store, String name) {
    long[] size = store.shape(name);
    if (size.length != 1 || size[0] > LARGEST_STATE) {
      throw new FormatException(name + " is too large to be the state of a 4-bit weight");
    }
    try (TensorScope _ = TensorScope.open()) {
      byte[] json = store.tensor(name).toBytes();
      Map<String, Object> state =
          StrictJson.parseObject(new String(json, StandardCharsets.UTF_8), name);
      if (state.get("shape") instanceof List<?> shape
          && shape.stream().allMatch(extent -> extent instanceof Integer)) {
        return shape.stream().mapToLong(extent -> (Integer) extent).toArray();
      }
      throw new FormatException(name + " does not say the shape of its weight");
    }
  }
}
