package dev.panatune.peft;

import dev.panatune.data.Example;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import dev.panatune.tensor.Tensor;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What {@code make_lora_fixtures.py} made. */
final class LoraFixtures {
  private static final int PADDING = 3;

  private LoraFixtures() {}

  /**
   * One set of options.
   *
   * @param name its folder
   * @param base the folder of the base
   * @param quantization of the base, where it is kept in 4 bits
   * @param compute the type that is computed in
   * @param losses of ten steps
   */
  record Case(
      String name,
      String base,
      Optional<QuantConfig> quantization,
      DType compute,
      List<Double> losses) {
    Path adapter() {
      return folder(name).resolve("adapter");
    }

    Map<String, Tensor> golden() {
      return TensorFile.read(folder(name).resolve("golden.safetensors"));
    }

    /** The base, in the type that is computed in. */
    PretrainedModel load() {
      return PretrainedModel.load(
          folder(base), new LoadOptions(Optional.of(compute), quantization, Device.CPU));
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    StrictJson.readObject(folder("cases.json"))
        .forEach((name, value) -> cases.add(read(name, (Map<?, ?>) value)));
    return cases;
  }

  static Case named(String name) {
    return cases().stream().filter(it -> it.name().equals(name)).findFirst().orElseThrow();
  }

  private static Case read(String name, Map<?, ?> entry) {
    DType compute = DType.parse(entry.get("compute") instanceof String type ? type : "float32");
    Optional<QuantConfig> quantization =
        Optional.ofNullable((List<?>) entry.get("quant"))
            .map(kind ->
                new QuantConfig(
                    QuantType.valueOf(((String) kind.get(0)).toUpperCase(java.util.Locale.ROOT)),
                    QuantConfig.DEFAULT_BLOCK_SIZE,
                    (Boolean) kind.get(1),
                    compute,
                    entry.get("skip") instanceof List<?> names ? strings(names) : List.of()));
    List<Double> losses =
        ((List<?>) entry.get("losses")).stream().map(it -> ((Number) it).doubleValue()).toList();
    return new Case(name, (String) entry.get("base"), quantization, compute, losses);
  }

  private static List<String> strings(List<?> values) {
    return values.stream().map(String.class::cast).toList();
  }

  /** The rows whose logits are compared, int64 [2, 8]. */
  static Tensor probe() {
    List<?> rows = (List<?>) run().get("probe");
    long[] ids =
        rows.stream()
            .flatMap(row -> ((List<?>) row).stream())
            .mapToLong(id -> ((Number) id).longValue())
            .toArray();
    return Tensor.ofLongs(ids, rows.size(), ids.length / rows.size());
  }

  /** What is trained on, two rows a step. */
  static List<Example> examples() {
    List<Example> examples = new ArrayList<>();
    for (Object batch : (List<?>) run().get("batches")) {
      List<?> ids = (List<?>) ((Map<?, ?>) batch).get("input_ids");
      List<?> labels = (List<?>) ((Map<?, ?>) batch).get("labels");
      for (int row = 0; row < ids.size(); row++) {
        examples.add(example((List<?>) ids.get(row), (List<?>) labels.get(row)));
      }
    }
    return examples;
  }

  private static Example example(List<?> ids, List<?> labels) {
    int length = ids.size();
    while (ids.get(length - 1).equals(PADDING)) {
      length--;
    }
    return new Example(integers(ids, length), integers(labels, length));
  }

  private static int[] integers(List<?> values, int length) {
    return values.stream().limit(length).mapToInt(it -> ((Number) it).intValue()).toArray();
  }

  static double learningRate() {
    return ((Number) run().get("learning_rate")).doubleValue();
  }

  private static Map<String, Object> run() {
    return StrictJson.readObject(folder("run.json"));
  }

  static Path folder(String name) {
    try {
      return Path.of(LoraFixtures.class.getResource("/lora/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
