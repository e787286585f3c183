// The folder that `simulacra export` writes: what it must hold, and what of it is believed.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace simulacra {

struct Condition {
  std::string name;                // incident_energy, theta, ...
  std::string unit;                // MeV, mm, rad; empty for numbers of particles
  std::array<double, 2> accepted;  // smallest and largest value that is not refused
  std::vector<double> values;      // those it can have; empty for all between
};

struct Manifest {
  std::string name;
  std::vector<Condition> conditions;  // columns of the graph's input, incident energy first
  std::size_t noise_size = 0;         // standard normal numbers per shower
  std::size_t voxels = 0;             // energies per shower
  double threshold_mev = 0;           // voxels are 0 or above it
  std::string onnxruntime;            // the oldest version that reads the graphs
  std::string single_digest;          // SHA-256 of model.onnx
  std::string batch_digest;           // SHA-256 of model_batch.onnx
};

// Throws BundleError: no bundle, a newer schema, another noise law, a link.
Manifest read_manifest(const std::filesystem::path& folder);

// The bytes of a graph, read once and compared with their digest. Throws BundleError.
std::string verified_graph(const std::filesystem::path& file, const std::string& digest);

}  // namespace simulacra
