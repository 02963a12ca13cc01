package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.model.CausalLM;
import dev.panatune.model.FamilyFixtures;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.nn.KvCache;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a user does with a model, done with one of every family, in 4 bits too. */
@ExtendWith(OneThread.class)
class FamilyWorkTest {
  private static final double CLOSE = 5e-5;

  @TempDir private Path temporary;

  private static List<Path> families() {
    return FamilyFixtures.all();
  }

  private static LoadOptions fourBit() {
    return LoadOptions.stored()
        .withQuantization(new QuantConfig(QuantType.NF4, 64, false, DType.FLOAT32, List.of()));
  }

  private static PretrainedModel load(Path directory) {
    return PretrainedModel.load(directory, LoadOptions.stored());
  }

  private static long count(CausalLM model, Class<?> kind) {
    return model.namedModules().filter(entry -> kind.isInstance(entry.getValue())).count();
  }

  @ParameterizedTest
  @MethodSource("families")
  void everyLinearLayerButTheHeadIsQuantisedAndSavedAsSuch(Path directory) {
    Path saved = temporary.resolve("saved");
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel packed = PretrainedModel.load(directory, fourBit())) {
      assertEquals(
          count(packed.model(), LinearLayer.class) - 1,
          count(packed.model(), QuantizedLinear.class));
      packed.save(saved, DType.FLOAT32);
      try (PretrainedModel again = load(saved)) {
        Tensor ids = FamilyFixtures.expected(directory).get("ids");
        assertTrue(again.model().logits(ids).equal(packed.model().logits(ids)));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void mergingLeavesAPlainModelThatComputesTheSame(Path directory) {
    for (LoadOptions options : List.of(LoadOptions.stored(), fourBit())) {
      Path merged = temporary.resolve("merged" + options.quantization().isPresent());
      try (TensorScope _ = TensorScope.open();
          GradMode _ = GradMode.disable();
          PretrainedModel loaded = PretrainedModel.load(directory, options)) {
        PeftModel adapted = PeftModel.load(loaded.model(), directory.resolve("adapter"), false);
        Tensor ids = FamilyFixtures.expected(directory).get("ids");
        Tensor expected = adapted.model().logits(ids);
        adapted.mergeAndUnload(MergeOptions.DENSE);
        double error = FamilyFixtures.difference(loaded.model().logits(ids), expected);
        assertTrue(error <= CLOSE, "merged logits differ by " + error);
        loaded.save(merged, DType.FLOAT32);
        try (PretrainedModel again = load(merged)) {
          assertTrue(again.model().logits(ids).equal(loaded.model().logits(ids)));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void anAdaptedFourBitModelGeneratesWithACache(Path directory) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel packed = PretrainedModel.load(directory, fourBit());
        KvCache cache = packed.model().newCache(26)) {
      PeftModel.load(packed.model(), directory.resolve("adapter"), false);
      Tensor ids = FamilyFixtures.expected(directory).get("ids");
      Tensor last = packed.model().nextLogits(ids.narrow(1, 0, 7), cache);
      // "Dynamic" scaling leaves cached keys as they are once the text is longer than the context.
      int end = directory.endsWith("llama_dynamic") ? 12 : 26;
      for (int i = 7; i < end; i++) {
        last = packed.model().nextLogits(ids.narrow(1, i, 1), cache);
      }
      Tensor whole = packed.model().logits(ids.narrow(1, 0, end)).select(1, -1);
      double error = FamilyFixtures.difference(last, whole);
      assertTrue(error <= CLOSE, "logits differ by " + error);
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void adaptsWhatPeftAdaptsWhereNothingIsNamed(Path directory) {
    try (PretrainedModel loaded = load(directory)) {
      String modelType = loaded.model().config().modelType();
      List<String> targets =
          Map.of("gpt2", List.of("c_attn"), "gpt_neox", List.of("query_key_value"))
              .getOrDefault(modelType, List.of("q_proj", "v_proj"));
      // PEFT has no choice for these.
      boolean named = List.of("phi3", "granite", "olmo2", "smollm3").contains(modelType);
      LoraConfig config =
          LoraConfig.fromMap(named ? Map.of("target_modules", "all-linear") : Map.of("r", 2));
      PeftModel.create(loaded.model(), config);
      List<String> adapted = new ArrayList<>();
      loaded
          .model()
          .namedModules()
          .filter(entry -> entry.getValue() instanceof LoraLinear)
          .forEach(entry -> adapted.add(entry.getKey().replaceAll(".*\\.", "")));
      long layers = loaded.model().config().layerCount();
      if (named) {
        assertTrue(adapted.size() % layers == 0 && adapted.size() >= 4 * layers);
      } else {
        assertEquals(targets.size() * layers, adapted.size());
        assertTrue(targets.containsAll(adapted), adapted.toString());
      }
    }
  }
}
