package dev.panatune.quant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import dev.panatune.tensor.DType;
import java.nio.charset.StandardCharsets;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QuantStateTest {
  private static final String FLAT =
      "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [24, 40]}";
  private static final String NESTED =
      FLAT.replace(
          "}",
          ", \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": 0.5}");

  private static QuantState parse(String json) {
    return QuantState.parse(json.getBytes(StandardCharsets.UTF_8), "x");
  }

  private static String write(OptionalDouble offset) {
    QuantState state =
        new QuantState(QuantType.NF4, 64, DType.BFLOAT16, new long[] {24, 40}, offset);
    return new String(state.toJson(), StandardCharsets.UTF_8);
  }

  @Test
  void isWrittenAsPythonWritesIt() {
    assertEquals(FLAT, write(OptionalDouble.empty()));
    assertEquals(NESTED, write(OptionalDouble.of(0.5)));
  }

  @Test
  void isReadBack() {
    QuantState state = parse(NESTED);
    assertEquals(QuantType.NF4, state.type());
    assertEquals(64, state.blockSize());
    assertEquals(DType.BFLOAT16, state.dtype());
    assertEquals(40, state.shape()[1]);
    assertEquals(0.5, state.nestedOffset().getAsDouble());
    assertTrue(parse(FLAT).nestedOffset().isEmpty());
  }

  /** The second column is what Python's repr prints. */
  @ParameterizedTest
  @CsvSource({
    "0.041178457438945770, 0.04117845743894577",
    "0.0, 0.0",
    "-0.0, -0.0",
    "1, 1.0",
    "-2.5, -2.5",
    "0.0001, 0.0001",
    "0.00001, 1e-05",
    "-0.000012345, -1.2345e-05",
    "1e16, 1e+16",
    "1234567890123456, 1234567890123456.0",
    "1.5e300, 1.5e+300",
    "9.999999974752427e-07, 9.999999974752427e-07",
    "NaN, NaN",
    "Infinity, Infinity",
    "-Infinity, -Infinity"
  })
  void numbersAreWrittenAsPythonWritesThem(double value, String expected) {
    assertEquals(expected, QuantState.pythonNumber(value));
  }

  @Test
  void anOffsetThatIsNotANumberIsReadBack() {
    assertTrue(Double.isNaN(parse(NESTED.replace("0.5", "NaN")).nestedOffset().getAsDouble()));
    assertEquals(0, parse(NESTED.replace("0.5", "0")).nestedOffset().getAsDouble());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"nf4\"|\"af4\"|quant_type",
        "\"nf4\"|4|quant_type",
        "64|48|blocksize",
        "64|\"64\"|blocksize",
        "\"bfloat16\"|\"int64\"|dtype",
        "[24, 40]|null|shape",
        "[24, 40]|[24, -1]|shape",
        "[24, 40]|[24, 1.5]|shape",
        "[24, 40]|[2147483647, 2147483647, 2147483647]|shape",
        "256|128|nested_blocksize",
        "0.5|\"a\"|nested_offset",
      })
  void aWrongMemberIsNamed(String right, String wrong, String member) {
    FormatException e =
        assertThrows(FormatException.class, () -> parse(NESTED.replace(right, wrong)));
    assertTrue(e.getMessage().startsWith("x has " + member), e.getMessage());
  }

  @Test
  void whatIsNotJsonIsRefused() {
    assertThrows(FormatException.class, () -> parse("nf4"));
    assertThrows(FormatException.class, () -> parse("[]"));
    byte[] notUtf8 = {(byte) 0xff, (byte) 0xfe};
    assertThrows(FormatException.class, () -> QuantState.parse(notUtf8, "x"));
  }
}
