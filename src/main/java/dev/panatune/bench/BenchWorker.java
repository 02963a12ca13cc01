package dev.panatune.bench;

import dev.panatune.format.StrictJson;
import dev.panatune.natives.KernelFacts;
import dev.panatune.natives.NativeLibraries;
import dev.panatune.tensor.Threads;
import java.util.LinkedHashMap;
import java.util.Map;

/** Panatune's side of a benchmark: one job in a process of its own. */
public final class BenchWorker {
  static final String TRAIN = "train";
  static final String DECODE = "decode";
  static final String OPS = "ops";
  static final String REHEARSE = "rehearse";
  static final String STARTED = "started";

  private BenchWorker() {}

  /**
   * Runs a job in this process.
   *
   * @param job one JSON object, as a benchmark writes it
   * @return what was measured, fit to be written as JSON
   */
  public static Map<String, Object> run(String job) {
    JobFields fields = new JobFields(StrictJson.parseObject(job, "the job"));
    NativeLibraries.load();
    Threads.setIntraOp(fields.number("threads"));
    Map<String, Object> result = new LinkedHashMap<>(measure(fields));
    KernelFacts kernels = KernelFacts.in(Threads.describe());
    result.put("threads", Threads.intraOp());
    result.put("kernels", kernels.panatune());
    result.put("cpu_capability", kernels.cpuCapability());
    return result;
  }

  private static Map<String, Object> measure(JobFields job) {
    String task = job.text("task");
    return switch (task) {
      case TRAIN -> TrainMeasurement.run(TrainJob.of(job), job.decimal(STARTED));
      case DECODE -> DecodeMeasurement.run(DecodeJob.of(job), job.decimal(STARTED));
      case OPS -> OpsMeasurement.run();
      case REHEARSE -> Rehearsal.run();
      default -> throw new IllegalArgumentException("there is no task '%s'".formatted(task));
    };
  }
}
