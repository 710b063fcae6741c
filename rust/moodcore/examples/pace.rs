//! Time of one training step on the song shape, for each instruction set.
use moodcore::{Samples, kernels::Isa, mlp, monitor::Silent, parallel::Team, rng::{Purpose, Stream}};

fn main() {
    let (features, classes) = (7, 4);
    let rows: usize = std::env::var("ROWS").map_or(108_500, |r| r.parse().unwrap());
    let mut stream = Stream::new(1, Purpose::Weights, 0);
    let x: Vec<f32> = (0..rows * features).map(|_| stream.next_normal_pair().0 as f32).collect();
    let y: Vec<u32> = x.chunks(features).map(|r| (r[0] > 0.0) as u32 * 2 + (r[1] * r[2] > 0.0) as u32).collect();
    let samples = Samples::new(&x, features, &y, classes, None).unwrap();
    let hidden: Vec<usize> = std::env::args().nth(1).unwrap_or("16,16".into()).split(',').map(|s| s.parse().unwrap()).collect();
    let batch: usize = std::env::args().nth(2).map_or(32, |b| b.parse().unwrap());
    let epochs: usize = std::env::args().nth(3).map_or(5, |b| b.parse().unwrap());
    let team = Team::new(std::env::args().nth(4).map_or(1, |b| b.parse().unwrap())).unwrap();
    for isa in Isa::available().into_iter().filter(|isa| std::env::var("ISA").map_or(isa.name() != "portable", |n| n == isa.name())) {
        let config = mlp::Config { hidden_sizes: hidden.clone(), batch_size: mlp::BatchSize::Samples(batch), epochs, ..Default::default() };
        let compute = mlp::Compute { isa, team: &team };
        let state = mlp::State::initial(&config, features, classes, 7).unwrap();
        let start = std::time::Instant::now();
        let fit = mlp::fit(&config, samples, None, state, 7, compute, &mut Silent).unwrap();
        let t = start.elapsed().as_secs_f64();
        let steps = epochs * rows.div_ceil(batch);
        let bits = fit.state.weights.iter().fold(0u64, |h, w| h.rotate_left(5) ^ u64::from(w.to_bits()));
        println!("{:9} {:.3} us/step  {:.1} ms/epoch loss {:.6} bits {:x}", isa.name(), t / steps as f64 * 1e6, t / epochs as f64 * 1e3, fit.history.loss.last().unwrap(), bits);
    }
}
