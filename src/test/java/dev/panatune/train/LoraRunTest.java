package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Example;
import dev.panatune.format.SafetensorsIndex;
import dev.panatune.format.StrictJson;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ModelConfig;
import dev.panatune.peft.PeftModel;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.schedule.SchedulerType;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Twenty updates of a LoRA adapter, beside the same twenty in PyTorch and PEFT. */
@ExtendWith(OneThread.class)
class LoraRunTest {
  private static final double LOSS_TOLERANCE = 1e-5;
  private static final double NORM_TOLERANCE = 1e-4;
  private static final double WEIGHT_TOLERANCE = 1e-3;

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void lossesAndWeightsFollowPyTorch(boolean gradientCheckpointing) throws URISyntaxException {
    JsonState run = JsonState.read(fixture("run.json"));
    try (CausalLM model = model()) {
      PeftModel adapter = PeftModel.load(model, fixture("before"), true);
      TrainResult result =
          Trainer.of(new AdapterTraining(adapter, null), arguments(gradientCheckpointing))
              .trainOn(examples(run))
              .train();
      List<JsonState> steps = run.at("steps").elements();
      assertEquals(20, steps.size());
      for (int i = 0; i < steps.size(); i++) {
        double loss = steps.get(i).at("loss").number();
        double norm = steps.get(i).at("grad_norm").number();
        var logged = result.history().get(i);
        assertEquals(loss, logged.value("loss").getAsDouble(), LOSS_TOLERANCE * loss, "step " + i);
        assertEquals(
            norm, logged.value("grad_norm").getAsDouble(), NORM_TOLERANCE * norm, "step " + i);
      }
      compareWeights(adapter);
    }
  }

  /** The checkpoint of a step is an adapter that PEFT's reader takes: the same weights again. */
  @Test
  void aCheckpointLoadsAsAnAdapter() throws URISyntaxException {
    JsonState run = JsonState.read(fixture("run.json"));
    try (CausalLM model = model();
        CausalLM fresh = model()) {
      PeftModel adapter = PeftModel.load(model, fixture("before"), true);
      TrainingArguments arguments =
          TrainingArguments.of(Map.of("output_dir", directory.toString(), "max_steps", 1));
      Path checkpoint =
          Trainer.of(new AdapterTraining(adapter, "a/base"), arguments)
              .trainOn(examples(run))
              .train()
              .newestCheckpoint()
              .orElseThrow();
      PeftModel loaded = PeftModel.load(fresh, checkpoint, false);
      adapter
          .parameters()
          .forEach((name, tensor) -> assertTrue(tensor.equal(loaded.parameters().get(name)), name));
    }
  }

  private static void compareWeights(PeftModel trained) throws URISyntaxException {
    try (CausalLM model = model();
        TensorScope _ = TensorScope.open()) {
      PeftModel wanted = PeftModel.load(model, fixture("after"), false);
      assertEquals(28, wanted.parameters().size());
      wanted
          .parameters()
          .forEach((name, tensor) -> {
            Tensor difference = trained.parameters().get(name).detach().sub(tensor);
            double relative = difference.norm().item() / tensor.norm().item();
            assertTrue(relative < WEIGHT_TOLERANCE, name + " is off by " + relative);
          });
    }
  }

  private TrainingArguments arguments(boolean gradientCheckpointing) {
    return TrainingArguments.builder()
        .outputDir(directory)
        .perDeviceTrainBatchSize(3)
        .gradientAccumulationSteps(2)
        .numTrainEpochs(1)
        .trainSamplingStrategy(SamplingStrategy.SEQUENTIAL)
        .learningRate(1e-2)
        .lrSchedulerType(SchedulerType.COSINE)
        .warmupSteps(4)
        .weightDecay(0.1)
        .gradientCheckpointing(gradientCheckpointing)
        .loggingSteps(1)
        .saveStrategy(SaveStrategy.NO)
        .build();
  }

  private static List<Example> examples(JsonState run) {
    return run.at("rows").elements().stream()
        .map(row -> new Example(integers(row.at("ids")), integers(row.at("labels"))))
        .toList();
  }

  private static int[] integers(JsonState array) {
    return array.elements().stream().mapToInt(JsonState::integer).toArray();
  }

  private static CausalLM model() throws URISyntaxException {
    ModelConfig config = ModelConfig.fromHuggingFace(StrictJson.readObject(fixture("config.json")));
    CausalLM model = CausalLM.random(config, 0);
    SequencedMap<String, Tensor> weights = new LinkedHashMap<>(model.namedParameters());
    StoredTensors.copy(SafetensorsIndex.open(fixture("model.safetensors")), weights);
    return model;
  }

  private static Path fixture(String name) throws URISyntaxException {
    return Path.of(LoraRunTest.class.getResource("/dev/panatune/train/lora_run/" + name).toURI());
  }
}
