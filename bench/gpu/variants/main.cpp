// Checks and times the variants that `pack` has packed, and prints a line of JSON for each. What
// works on the GPU is a child process, for a baseline and up to eight variants at a time: a kernel
// that faults or hangs ends that process, and another one goes on without it.
//
// usage: fovea_variants FOLDER [OPTION=N...]
//   --tokens, --width     of a timed problem: rows of its batch, heads times head dim (16384, 2048)
//   --milliseconds        of a round of one variant and problem (15)
//   --seconds             for all: what is left then is unfinished (95)
//   --step-seconds        without a word, and a kernel has hung (15)
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>

#include "measure.h"

namespace fovea::attention::cuda::variants {
namespace {

constexpr size_t kBetweenBaselines = 8;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A baseline and the variants that are compared with it, in the order of the index.
struct Group {
  std::vector<const Variant*> variants;
  int number;  // of its kind and head dim
};

std::vector<Group> make_groups(const std::vector<Variant>& all) {
  std::map<std::pair<Kind, int>, std::vector<const Variant*>> sorted;
  for (const Variant& it : all) sorted[{it.kind, it.head_dim}].push_back(&it);
  std::vector<Group> groups;
  for (auto& [kind, variants] : sorted) {
    std::stable_partition(variants.begin(), variants.end(),
                          [](const Variant* it) { return it->is_baseline(); });
    if (!variants[0]->is_baseline()) {
      throw std::runtime_error(variants[0]->name + " has no baseline to be compared with");
    }
    int number = 0;
    for (size_t first = 1; first == 1 || first < variants.size(); first += kBetweenBaselines) {
      Group group = {{variants[0]}, number++};
      const size_t end = std::min(first + kBetweenBaselines, variants.size());
      group.variants.insert(group.variants.end(), variants.begin() + long(first),
                            variants.begin() + long(end));
      groups.push_back(group);
    }
  }
  return groups;
}

void print(const Group& group, size_t index, const char* status, const std::string& fields) {
  const Variant &it = *group.variants[index], &baseline = *group.variants[0];
  std::string name = it.name;
  if (index == 0 && group.number > 0) name += " again " + std::to_string(group.number);
  std::string model = "null, \"model_ratio\": null";
  if (it.model > 0 && baseline.model > 0) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f, \"model_ratio\": %.3f", it.model,
                  it.model / baseline.model);
    model = text;
  }
  std::printf("{\"case\": %s, \"status\": \"%s\", \"origin\": %s, %s, \"model\": %s}\n",
              quoted(name).c_str(), status, quoted(it.origin).c_str(), fields.c_str(),
              model.c_str());
  std::fflush(stdout);
}

// The child's half: what `measure` reports goes through a pipe, a line each.
[[noreturn]] void work(const Options& options, const std::vector<const Variant*>& variants,
                       const std::vector<Reference>& references, int pipe) {
  size_t turn = 0;
  const auto report = [&](size_t index, const std::string& status, const std::string& fields) {
    turn = index;
    const std::string line = std::to_string(index) + "\t" + status + "\t" + fields + "\n";
    for (size_t at = 0; at < line.size();) {
      const ssize_t written = write(pipe, line.data() + at, line.size() - at);
      if (written <= 0) _exit(1);
      at += size_t(written);
    }
  };
  try {
    measure(options, variants, references, report);
  } catch (const std::exception& exception) {
    report(turn, "failed", "\"reason\": " + quoted(exception.what()));
  }
  _exit(0);  // without destructors: of a broken context they may hang
}

// The parent's half of one group.
class Watch {
 public:
  Watch(const Options& options, const Group& group, const std::vector<Reference>& references,
        double end)
      : options_(options), group_(group), references_(references), end_(end) {}

  // False if there is no going on, for want of time or of a GPU that answers.
  bool run() {
    for (size_t i = 0; i < group_.variants.size(); ++i) pending_.push_back(i);
    bool alive = true;
    // A group of which the baseline alone is left is done.
    while (alive && !pending_.empty()) alive = run_child();
    for (const size_t i : pending_) {
      print(group_, i, "unfinished", "\"reason\": \"there was no time left\"");
    }
    return alive;
  }

 private:
  bool run_child() {
    int ends[2];
    if (now() >= end_) return false;
    if (pipe(ends) != 0) throw std::runtime_error("pipe: " + std::string(std::strerror(errno)));
    std::vector<const Variant*> variants;
    for (const size_t i : pending_) variants.push_back(group_.variants[i]);
    const std::vector<size_t> indices = pending_;
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("fork: " + std::string(std::strerror(errno)));
    if (child == 0) {
      close(ends[0]);
      work(options_, variants, references_, ends[1]);
    }
    close(ends[1]);
    const char* const ended = follow(ends[0], indices);
    close(ends[0]);
    kill(child, SIGKILL);
    int status = 0;
    const bool reaped = reap(child, status);
    // Without a last word of its own it was the variant whose turn it was.
    if (ended == nullptr && now() >= end_) return false;
    if (!told_ && !pending_.empty()) {
      finish(indices[turn_], "failed",
             ended == nullptr ? "\"reason\": \"it hung\""
                              : "\"reason\": \"its process ended with signal " +
                                    std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0) +
                                    "\"");
    }
    return reaped;
  }

  // Until the child's end of the pipe is closed: then returns a text, null if it was silent too
  // long.
  const char* follow(int pipe, const std::vector<size_t>& indices) {
    std::string text;
    told_ = false;
    turn_ = 0;
    double silent = now() + options_.step_seconds;
    for (;;) {
      const double left = std::min(silent, end_) - now();
      pollfd ready = {pipe, POLLIN, 0};
      if (left <= 0 || poll(&ready, 1, int(left * 1e3) + 1) == 0) return nullptr;
      char bytes[4096];
      const ssize_t count = read(pipe, bytes, sizeof bytes);
      if (count <= 0) return "ended";
      silent = now() + options_.step_seconds;
      text.append(bytes, size_t(count));
      for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
        hear(text.substr(0, end), indices);
      }
    }
  }

  void hear(const std::string& line, const std::vector<size_t>& indices) {
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    turn_ = std::stoul(line);
    const std::string status = line.substr(first + 1, second - first - 1);
    told_ = !status.empty();
    if (told_) finish(indices[turn_], status.c_str(), line.substr(second + 1));
  }

  void finish(size_t index, const char* status, const std::string& fields) {
    print(group_, index, status, fields);
    pending_.erase(std::find(pending_.begin(), pending_.end(), index));
  }

  // A process that waits for a GPU that hangs can outlive SIGKILL.
  static bool reap(pid_t child, int& status) {
    constexpr double kSeconds = 10;
    for (const double end = now() + kSeconds; now() < end; usleep(1000)) {
      if (waitpid(child, &status, WNOHANG) == child) return true;
    }
    return false;
  }

  const Options& options_;
  const Group& group_;
  const std::vector<Reference>& references_;
  const double end_;
  std::vector<size_t> pending_;  // of the group's variants
  size_t turn_ = 0;              // of what the child was given
  bool told_ = false;            // whether its last word was a result
};

void run(const Options& options) {
  const double end = now() + options.seconds;
  const std::vector<Variant> variants = read_index(options.folder);
  std::map<int, std::vector<Reference>> references;  // by head dim
  bool alive = true;
  for (const Group& group : make_groups(variants)) {
    const int head_dim = group.variants[0]->head_dim;
    if (alive && !references.contains(head_dim)) references[head_dim] = make_references(head_dim);
    alive = Watch(options, group, references[head_dim], alive ? end : 0).run() && alive;
  }
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument.rfind("--", 0) != 0) {
      options.folder = argument;
      continue;
    }
    const size_t equals = std::min(argument.find('='), argument.size());
    const std::string name = argument.substr(0, equals);
    const char* const value = arguments[i] + std::min(equals + 1, argument.size());
    char* rest = nullptr;
    const double number = std::strtod(value, &rest);
    if (*value == '\0' || *rest != '\0') throw std::runtime_error(name + " takes =NUMBER");
    if (name == "--tokens") {
      options.tokens = int64_t(number);
    } else if (name == "--width") {
      options.width = int64_t(number);
    } else if (name == "--milliseconds") {
      options.batch_milliseconds = number;
    } else if (name == "--seconds") {
      options.seconds = number;
    } else if (name == "--step-seconds") {
      options.step_seconds = number;
    } else {
      throw std::runtime_error("unknown option " + name);
    }
  }
  if (options.folder.empty()) throw std::runtime_error("usage: fovea_variants FOLDER [OPTION=N]");
  return options;
}

}  // namespace
}  // namespace fovea::attention::cuda::variants

int main(int count, char** arguments) {
  try {
    fovea::attention::cuda::variants::run(fovea::attention::cuda::variants::parse(count, arguments));
    return 0;
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "fovea_variants: %s\n", exception.what());
    return 2;
  }
}
