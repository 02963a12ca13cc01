package dev.panatune.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.DataFormat;
import dev.panatune.error.ConfigurationException;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.tensor.DType;
import dev.panatune.train.IntervalStrategy;
import dev.panatune.train.SamplingStrategy;
import dev.panatune.train.TrainedParameters;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RunConfigTest {
  @TempDir Path directory;
  private Path file;

  @BeforeEach
  void write() throws IOException {
    Files.writeString(directory.resolve("rows.jsonl"), "{\"text\": \"a\"}\n");
    Files.createDirectory(directory.resolve("adapter"));
    file =
        Files.writeString(
            directory.resolve("run.yaml"),
            """
            model: {path: some/model}
            peft: {r: 4, target_modules: [q_proj]}
            data: {train: rows.jsonl}
            training: {max_steps: 3}
            output_dir: out
            """);
  }

  private RunConfig read(String... overrides) {
    return RunConfig.read(file, List.of(overrides), Optional.empty());
  }

  private String failure(String... overrides) {
    return assertThrows(ConfigurationException.class, () -> read(overrides)).getMessage();
  }

  @Test
  void theQuickstartIsValid() {
    RunConfig config =
        RunConfig.read(Path.of("examples/quickstart.yaml"), List.of(), Optional.empty());
    QuantConfig quantization = config.model().quantization().orElseThrow();
    assertEquals(QuantType.NF4, quantization.type());
    assertTrue(quantization.doubleQuant());
    assertEquals(DType.BFLOAT16, quantization.computeDtype());
    assertEquals(SamplingStrategy.SEQUENTIAL, config.training().trainSamplingStrategy());
    assertTrue(config.training().evaluatesFirst());
    assertTrue(config.merged());
    assertEquals(3, config.samplePrompts().size());
  }

  @Test
  void dataIsFoundBesideTheRunFile() {
    DataSection data = read("data.train=[{path: rows.jsonl, format: text}]").data();
    assertEquals(Optional.of(DataFormat.TEXT), data.train().getFirst().format());
    assertEquals(directory.resolve("rows.jsonl").toAbsolutePath(), data.train().getFirst().path());
  }

  @Test
  void whatIsEvaluatedIsPackedAsWhatIsTrainedOn() {
    assertFalse(read().data().packing());
    assertTrue(read("data.packing=true").data().packing());
    assertTrue(read("data.packing=true").data().evalPacking());
    assertFalse(read("data.packing=true", "data.eval_packing=false").data().evalPacking());
  }

  @Test
  void namesOfOlderVersionsAreUnderstood() {
    RunConfig config =
        read(
            "data.eval=rows.jsonl",
            "data.max_seq_length=77",
            "training.evaluation_strategy=steps",
            "training.eval_steps=2",
            "training.warmup_ratio=0.1",
            "training.group_by_length=true",
            "overwrite_output_dir=true",
            "model.torch_dtype=bfloat16");
    assertEquals(77, config.data().maxLength());
    assertEquals(IntervalStrategy.STEPS, config.training().evalStrategy());
    assertEquals(0.1, config.training().warmupSteps());
    assertEquals(SamplingStrategy.GROUP_BY_LENGTH, config.training().trainSamplingStrategy());
    assertTrue(config.training().overwriteOutputDir());
    assertEquals(Optional.of(DType.BFLOAT16), config.model().dtype());
  }

  @Test
  void fourBitHasTheDefaultsOfBitsandbytes() {
    QuantConfig quantization = read("model.load_in_4bit=true").model().quantization().orElseThrow();
    assertEquals(QuantType.FP4, quantization.type());
    assertEquals(DType.FLOAT32, quantization.computeDtype());
    assertEquals(Optional.empty(), read().model().quantization());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "modle={path: x}|unknown key modle; did you mean model?",
        "model.load_in_4bits=true|unknown key model.load_in_4bits; did you mean load_in_4bit?",
        "data.trian=rows.jsonl|unknown key data.trian; did you mean train?",
        "data.train=[{path: rows.jsonl, fromat: text}]|unknown key data.train[0].fromat; did you"
            + " mean format?",
        "training.learning_rat=1|learning_rate",
        "peft.lora_alpa=1|lora_alpha",
        "model.load_in_4bit=yes please|model.load_in_4bit is the string 'yes please'",
        "model.dtype=int4|model.dtype is 'int4'",
        "model.load_in_8bit=true|model.load_in_8bit: true is not supported",
        "model.revision=main|model.revision",
        "data.packing_strategy=wrapped|data.packing_strategy: wrapped is not supported",
        "data.train=none.jsonl|data.train[0].path: no file none.jsonl",
        "data.train=null|data.train is missing",
        "data.max_length=1|data.max_length is 1; it must be at least 2",
        "data.validation_split=-0.5|data.validation_split",
        "training.learning_rate=fast|learning_rate",
        "training.eval_strategy=steps|there is nothing to evaluate on",
        "training.optim=adafactor|adafactor",
        "peft.use_qalora=true|use_qalora",
        "peft.peft_type=ADALORA|IA3",
        "peft={adapter_name_or_path: none}|no directory none",
        "peft.adapter_name_or_path=adapter|peft.r beside adapter_name_or_path",
        "peft=lora|peft is the string 'lora', not a mapping",
        "peft=null|model.load_in_4bit without a peft section",
        "training.freeze=[norm]|training.train and training.freeze choose among the model's own",
        "training.train=[3]|training.train is a list, not a list of strings",
        "training.train=['(']|in training: train: '(' is not a regular expression",
        "output_dir=null|output_dir is missing",
        "sample_prompts=[1]|sample_prompts is a list, not a list of strings",
      })
  void whatIsWrongIsNamed(String override, String expected) {
    String message =
        override.equals("peft=null")
            ? failure(override, "model.load_in_4bit=true")
            : failure(override);
    assertTrue(message.contains(expected), message);
  }

  @Test
  void theResolvedRunReadsBackAsTheSameRun() throws IOException {
    RunConfig config =
        read(
            "data.validation_split=0.5", "training.eval_strategy=epoch", "model.load_in_4bit=true");
    Path resolved = directory.resolve("out.yaml");
    Files.writeString(resolved, RunFile.write(config.resolved()));
    assertEquals(config, RunConfig.read(resolved, List.of(), Optional.empty()));
  }

  @Test
  void whatIsTrainedWithoutAnAdapterReadsBackToo() throws IOException {
    RunConfig config =
        read("peft=null", "training.train=['layers.1', bias]", "training.freeze=mlp");
    assertEquals(
        new TrainedParameters(List.of("layers.1", "bias"), List.of("mlp")), config.trained());
    Path resolved = directory.resolve("out.yaml");
    Files.writeString(resolved, RunFile.write(config.resolved()));
    assertEquals(config, RunConfig.read(resolved, List.of(), Optional.empty()));
  }

  @Test
  void anAdapterThatIsThereIsTrainedOn() {
    RunConfig config = read("peft={adapter_name_or_path: adapter}");
    assertTrue(config.peft().orElseThrow() instanceof PeftSection.ExistingAdapter);
  }
}
