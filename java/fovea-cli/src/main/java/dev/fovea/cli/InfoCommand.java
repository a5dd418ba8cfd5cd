package dev.fovea.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.fovea.Device;
import dev.fovea.FoveaException;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeOperations;
import dev.fovea.ffi.report.LoadReport;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What is here: versions, libraries and where they came from, instruction sets, devices. */
@Command(name = "info", description = "Show versions, libraries, instruction sets and devices.")
final class InfoCommand extends CliCommand {

  @Option(
      names = "--features",
      description =
          "Show what each operation can do instead: by backend, element type and pass, as the"
              + " planners answer.")
  private boolean features;

  @Option(
      names = "--backend",
      paramLabel = "DEVICE",
      description =
          "With --features, the device that is asked, such as cpu:avx2, cuda:0 or sim:sm_90;"
              + " default every tier of the CPU that runs here, and every GPU.")
  private String backend;

  @Override
  public Integer call() throws IOException {
    if (features) {
      return features();
    }
    if (backend != null) {
      throw new IllegalArgumentException("--backend is for --features alone");
    }
    JsonObject document = new JsonObject();
    document.addProperty("version", Version.text());
    document.addProperty("java", System.getProperty("java.runtime.version"));
    document.addProperty("jvm", System.getProperty("java.vm.name"));
    document.addProperty("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    text().println("fovea " + Version.text());
    text()
        .printf(
            "Java %s, %s, %s %s%n",
            System.getProperty("java.runtime.version"),
            System.getProperty("java.vm.name"),
            System.getProperty("os.name"),
            System.getProperty("os.arch"));
    document.add("libraries", libraries());
    document.add("cpu", cpu());
    document.add("devices", devices());
    document(document);
    return 0;
  }

  private int features() throws IOException {
    List<Device> devices = backend == null ? here() : List.of(Devices.named(backend));
    text().printf("What is planned: in both passes, in one of them, or not.%n%n");
    JsonArray all = new JsonArray();
    for (NativeOperation operation : NativeOperations.ALL) {
      FeatureTable table = new FeatureTable(operation, devices);
      table.print(text());
      all.addAll(table.json());
    }
    JsonObject document = new JsonObject();
    document.add("features", all);
    document(document);
    return 0;
  }

  /** All but simulated ones, which are for tests. */
  private static List<Device> here() throws IOException {
    Devices.cpu();
    Stream<Device> others = Device.all().stream().filter(it -> it.name().startsWith("cuda:"));
    return Stream.concat(Device.cpuTiers().stream(), others).toList();
  }

  private JsonArray libraries() throws IOException {
    JsonArray libraries = new JsonArray();
    for (LoadReport report : Devices.reports()) {
      JsonObject library = new JsonObject();
      boolean forTests = report.name().equals("fovea_sim");
      library.addProperty("name", report.name());
      library.addProperty("loaded", report.library().isPresent());
      text().println();
      if (report.library().isPresent()) {
        LoadReport.Library loaded = report.library().get();
        library.addProperty("origin", loaded.origin());
        library.addProperty("version", loaded.version());
        library.addProperty("build", loaded.build());
        text().printf("%s %s from %s%n", report.name(), loaded.version(), loaded.origin());
        text().printf("  built by %s%n", loaded.build());
      } else if (forTests) {
        text().printf("%s is not there: %s%n", report.name(), report.attempts().getLast());
      } else {
        text().printf("%s is not there:%n", report.name());
      }
      JsonArray attempts = new JsonArray();
      for (LoadReport.Attempt attempt : report.attempts()) {
        JsonObject tried = new JsonObject();
        tried.addProperty("place", attempt.place());
        tried.add(
            "refusal",
            attempt.refusal().<JsonElement>map(JsonPrimitive::new).orElse(JsonNull.INSTANCE));
        attempts.add(tried);
        if (report.library().isEmpty() && !forTests) {
          text().println("  " + attempt);
        }
      }
      library.add("attempts", attempts);
      libraries.add(library);
    }
    return libraries;
  }

  private JsonObject cpu() {
    JsonObject cpu = new JsonObject();
    try {
      List<String> tiers = Device.cpuTiers().stream().map(Device::name).toList();
      cpu.addProperty("description", Device.cpu().description());
      JsonArray names = new JsonArray();
      tiers.forEach(names::add);
      cpu.add("tiers", names);
      text().printf("%nCPU: %s%n", Device.cpu().description());
      text().printf("  runs here: %s%n", String.join(", ", tiers));
      JsonArray missing = new JsonArray();
      for (Device.Isa isa : Device.Isa.values()) {
        if (!tiers.contains(isa.device())) {
          missing.add(isa.device());
          text().printf("  %s does not: the processor or the system lacks it%n", isa.device());
        }
      }
      cpu.add("missing", missing);
      long limit = Device.cpu().memoryLimit();
      cpu.addProperty("memoryLimit", limit);
      text().printf("  tensors may take %,d bytes%n", limit);
    } catch (FoveaException e) {
      cpu.addProperty("error", e.getMessage()); // the library's attempts say why
    }
    return cpu;
  }

  private JsonArray devices() {
    JsonArray devices = new JsonArray();
    text().printf("%nDevices:%n");
    for (Device device : Device.all()) {
      JsonObject json = new JsonObject();
      json.addProperty("name", device.name());
      String description;
      try {
        description = device.description();
      } catch (FoveaException e) {
        description = "unusable: its library is not there";
      }
      json.addProperty("description", description);
      text().printf("  %s: %s%n", device.name(), description);
      devices.add(json);
    }
    return devices;
  }
}
