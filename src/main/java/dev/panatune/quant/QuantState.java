package dev.panatune.quant;

import dev.panatune.error.FormatException;
import dev.panatune.format.StrictJson;
import dev.panatune.tensor.DType;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/**
 * The small things of a quantised weight, which bitsandbytes keeps as JSON in a tensor of bytes.
 *
 * @param type the number format
 * @param blockSize elements that share a scale
 * @param dtype the type of the weight that was quantised
 * @param shape its shape
 * @param nestedOffset the mean that was taken off the scales, where they are nested
 */
record QuantState(
    QuantType type, int blockSize, DType dtype, long[] shape, OptionalDouble nestedOffset) {
  private static final double SMALLEST_FIXED = 1e-4;
  private static final double SMALLEST_EXPONENTIAL = 1e16;

  /** The name of the tensor that holds it. */
  static String key(String weightName, QuantType type) {
    return weightName + ".quant_state.bitsandbytes__" + type.id();
  }

  /** Returns the bytes that Python's {@code json.dumps} makes of it. */
  byte[] toJson() {
    StringBuilder json =
        new StringBuilder()
            .append("{\"quant_type\": \"%s\", \"blocksize\": %d".formatted(type.id(), blockSize))
            .append(", \"dtype\": \"%s\", \"shape\": ".formatted(dtype.torchName()))
            .append(
                Arrays.stream(shape)
                    .mapToObj(Long::toString)
                    .collect(Collectors.joining(", ", "[", "]")));
    nestedOffset.ifPresent(offset ->
        json.append(", \"nested_blocksize\": ")
            .append(NestedScales.BLOCK_SIZE)
            .append(", \"nested_dtype\": \"float32\", \"nested_offset\": ")
            .append(pythonNumber(offset)));
    return json.append('}').toString().getBytes(StandardCharsets.US_ASCII);
  }

  /**
   * As {@code repr(float)} in Python: the shortest digits, with an exponent only where it says so.
   */
  static String pythonNumber(double value) {
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      return Double.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    }
    double magnitude = Math.abs(value);
    BigDecimal shortest = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    if (value == 0 || magnitude >= SMALLEST_FIXED && magnitude < SMALLEST_EXPONENTIAL) {
      String fixed = value == 0 ? (1 / value < 0 ? "-0" : "0") : shortest.toPlainString();
      return fixed.contains(".") ? fixed : fixed + ".0";
    }
    String digits = shortest.unscaledValue().abs().toString();
    int exponent = digits.length() - 1 - shortest.scale();
    String fraction = digits.length() == 1 ? "" : "." + digits.substring(1);
    return "%s%c%s%s%s%02d"
        .formatted(
            value < 0 ? "-" : "",
            digits.charAt(0),
            fraction,
            "e",
            exponent < 0 ? "-" : "+",
            Math.abs(exponent));
  }

  /**
   * Reads it.
   *
   * @param source the tensor's name, for messages
   * @throws FormatException if it is not what bitsandbytes writes, or needs what is not supported
   */
  static QuantState parse(byte[] json, String source) {
    Map<String, Object> fields;
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(json)).toString();
      fields = StrictJson.parseObject(text, source);
    } catch (CharacterCodingException e) {
      throw new FormatException(source + " is not UTF-8 text", e);
    }
    Fields read = new Fields(fields, source);
    String typeName = read.get("quant_type", String.class);
    QuantType type =
        Arrays.stream(QuantType.values())
            .filter(t -> t.id().equals(typeName))
            .findFirst()
            .orElseThrow(() -> read.wrong("quant_type", "nf4 or fp4"));
    int blockSize = read.get("blocksize", Integer.class);
    if (!QuantConfig.BLOCK_SIZES.contains(blockSize)) {
      throw read.wrong("blocksize", "one of " + QuantConfig.BLOCK_SIZES);
    }
    DType dtype =
        Arrays.stream(DType.values())
            .filter(d -> d.isFloatingPoint() && d.torchName().equals(fields.get("dtype")))
            .findFirst()
            .orElseThrow(() -> read.wrong("dtype", "a floating-point type"));
    OptionalDouble offset = OptionalDouble.empty();
    if (fields.containsKey("nested_offset")) {
      offset = OptionalDouble.of(read.get("nested_offset", Number.class).doubleValue());
      if (read.get("nested_blocksize", Integer.class) != NestedScales.BLOCK_SIZE) {
        throw read.wrong("nested_blocksize", "" + NestedScales.BLOCK_SIZE);
      }
    }
    return new QuantState(type, blockSize, dtype, read.shape(), offset);
  }

  /** Members of the JSON object, checked as they are taken. */
  private record Fields(Map<String, Object> values, String source) {
    <T> T get(String name, Class<T> kind) {
      Object value = values.get(name);
      if (!kind.isInstance(value)) {
        throw wrong(name, "a " + kind.getSimpleName().toLowerCase(Locale.ROOT));
      }
      return kind.cast(value);
    }

    long[] shape() {
      List<?> sizes = get("shape", List.class);
      long[] shape = new long[sizes.size()];
      long elements = 1;
      for (int i = 0; i < shape.length; i++) {
        if (!(sizes.get(i) instanceof Integer size) || size < 0) {
          throw wrong("shape", "a list of sizes");
        }
        shape[i] = size;
        if (size != 0 && elements > Long.MAX_VALUE / size) {
          throw wrong("shape", "a list of sizes whose product is a number of elements");
        }
        elements *= size;
      }
      return shape;
    }

    FormatException wrong(String name, String expected) {
      return new FormatException(
          "%s has %s %s, but it must be %s".formatted(source, name, values.get(name), expected));
    }
  }
}
