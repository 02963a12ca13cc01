package dev.panatune.model;

import dev.panatune.error.FormatException;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.format.StrictJson;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
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
  QuantizedShapes(SafetensorsIndex index) {
    for (String name : index.tensors().keySet()) {
      int mark = name.indexOf(MARK);
      if (mark >= 0) {
        shapes.put(name.substring(0, mark), read(index, name));
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

  private static long[] read(SafetensorsIndex index, String name) {
    if (index.tensor(name).byteSize() > LARGEST_STATE) {
      throw new FormatException(name + " is too large to be the state of a 4-bit weight");
    }
    try (Arena arena = Arena.ofConfined()) {
      byte[] json = index.fileOf(name).map(name, arena).toArray(ValueLayout.JAVA_BYTE);
      Map<String, Object> state =
          StrictJson.parseObject(new String(json, StandardCharsets.UTF_8), name);
      if (state.get("shape") instanceof List<?> shape
          && shape.stream().allMatch(size -> size instanceof Integer)) {
        return shape.stream().mapToLong(size -> (Integer) size).toArray();
      }
      throw new FormatException(name + " does not say the shape of its weight");
    }
  }
}
